"""The ffmpeg for sound alone, beside the full one; `make test-ffmpeg` runs these."""
