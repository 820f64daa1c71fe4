"""Which files are MPEG audio of free format; tests/separator/test_corpus.py has whole ones, which mpg123 plays."""

from pathlib import Path

import pytest

from consumer.separator.audio.free_format import is_of_free_format


def frames(head: bytes, *sizes: int) -> bytes:
    return b"".join(head + bytes(size - 4) for size in sizes)


def is_free(folder: Path, content: bytes) -> bool:
    path = folder / "song.mp3"
    path.write_bytes(content)
    return is_of_free_format(path)


@pytest.mark.parametrize("second", [0xFB, 0xFA, 0xF3, 0xE3, 0xFD, 0xFF], ids=hex)
def test_frames_without_a_bit_rate_are_known(tmp_path: Path, second: int) -> None:
    """Of any version and layer, behind tags, and with padding in some frames."""
    head = bytes([0xFF, second, 0x00, 0xC4])
    padded = bytes([0xFF, second, 0x02, 0xC4])
    assert is_free(tmp_path, frames(head, 700, 700, 700))
    assert is_free(tmp_path, frames(head, 700) + frames(padded, 701) + frames(head, 700))
    assert is_free(tmp_path, b"ID3\4\0\0\0\1\0\0" + bytes(16384) + frames(head, 400, 400, 400))


def test_others_are_not(tmp_path: Path) -> None:
    """Frames with a bit rate, of no sample rate, at unequal distances, of several kinds, and two alone; and none."""
    free = b"\xff\xfb\x00\xc4"
    assert not is_free(tmp_path, frames(b"\xff\xfb\x90\xc4", 417, 417, 417))
    assert not is_free(tmp_path, frames(b"\xff\xfb\x0c\xc4", 417, 417, 417))
    assert not is_free(tmp_path, frames(free, 400, 700, 417, 1000))
    assert not is_free(
        tmp_path, frames(free, 400) + frames(b"\xff\xfb\x04\xc4", 400) + frames(b"\xff\xf3\x00\xc4", 400)
    )
    assert not is_free(tmp_path, frames(free, 400, 400))
    assert not is_free(tmp_path, b"\xff" * 70_000)
    assert not is_free(tmp_path, b"")
