"""Builds an ffmpeg for sound alone, under the LGPL, from Debian's source packages: `python -m small_ffmpeg`."""
