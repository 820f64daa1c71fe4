"""Files to samples and back, by ffmpeg, and what is measured of them."""
