"""Headers of WAVE files whose numbers lead nowhere."""

import struct
from pathlib import Path

import pytest

from consumer.separator.audio.wave_header import W64_RIFF, wave_codec


@pytest.mark.attack
@pytest.mark.parametrize("size", [0, 23, 24, 1 << 33, 1 << 44, (1 << 62) - 1, 1 << 62, (1 << 64) - 1])
@pytest.mark.parametrize("chunks", [1, 2, 3, 64])
def test_sizes_of_wave64_lead_nowhere(tmp_path: Path, size: int, chunks: int) -> None:
    """However far beyond the end a chunk is said to reach: no file system is asked to look there."""
    path = tmp_path / "song.w64"
    chunk = b"junk" + bytes(12) + struct.pack("<Q", size)
    path.write_bytes(W64_RIFF + bytes(24) + chunk * chunks)
    assert wave_codec(path) is None
