"""An ffmpeg for sound alone, under the LGPL: its sources are told in SOURCES.md, its licences lie in licenses/."""

from pathlib import Path


def program() -> Path:
    """The ffmpeg in this package. Raises FileNotFoundError where the package holds none, as in a checkout."""
    found = Path(__file__).with_name("ffmpeg")
    if not found.is_file():
        raise FileNotFoundError(f"{found}: `make ffmpeg` builds it")
    return found
