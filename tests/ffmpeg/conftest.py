"""Both ffmpegs."""

from pathlib import Path

import imageio_ffmpeg
import pytest

from consumer.core.catalog import SOURCE_FORMATS
from consumer.separator.audio.ffmpeg import FFmpeg
from small_ffmpeg.making import made


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder of what was built; `make test-ffmpeg` has done that."""
    return made()


@pytest.fixture(scope="session")
def small(built: Path) -> FFmpeg:
    """The one for sound alone."""
    return FFmpeg(binary=str(built / "ffmpeg"), allowed_formats=SOURCE_FORMATS)


@pytest.fixture(scope="session")
def full() -> FFmpeg:
    """The one that has all that FFmpeg can have."""
    return FFmpeg(binary=imageio_ffmpeg.get_ffmpeg_exe(), allowed_formats=SOURCE_FORMATS)
