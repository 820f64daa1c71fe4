"""Where an mp3's frames begin and end; what is heard of such files is tests/separator/test_corpus.py's matter."""

import io
import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.mp3 import HeaderNotFoundError, MPEGFrame

from consumer.separator.audio.mpeg_frames import _frame, sections_of_mp3

SYNCS = [b"\xff\xe2", b"\xff\xe3", b"\xff\xf2", b"\xff\xf3", b"\xff\xfa", b"\xff\xfb"]


@pytest.mark.parametrize("sync", SYNCS, ids=bytes.hex)
def test_a_frame_is_as_long_as_mutagen_says(sync: bytes) -> None:
    """Every bit rate, sample rate, padding and channel mode; what is no frame to one is none to the other."""
    for third, mode in itertools.product(range(256), (0x00, 0x40, 0x80, 0xC0)):
        head = sync + bytes([third, mode])
        found, file = _frame(head), io.BytesIO(head + bytes(4000))
        try:
            MPEGFrame(file)
        except HeaderNotFoundError:
            assert found is None, head.hex()
        else:
            assert found is not None, head.hex()
            assert found.size == file.tell(), head.hex()  # which stands behind the frame then


@given(
    st.binary(max_size=2000) | st.lists(st.sampled_from([*SYNCS, b"\x90\x64", b"Info", b"ID3", bytes(9)])).map(b"".join)
)
def test_whatever_lies_in_a_file_it_is_looked_at(data: bytes) -> None:
    """What is told are parts of the file in their order, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.mp3"
        path.write_bytes(data)
        sections = sections_of_mp3(path)
    places = [place for section in sections for place in (section.first, section.end)]
    assert places == sorted(places)
    assert all(0 <= section.first < section.end <= len(data) for section in sections)


def test_thousands_of_tags_are_not_followed(tmp_path: Path) -> None:
    """Each of ten bytes; only the first few are looked behind."""
    path = tmp_path / "tags.mp3"
    path.write_bytes(b"ID3\3\0\0\0\0\0\0" * 1_000_000)
    assert sections_of_mp3(path) == ()
