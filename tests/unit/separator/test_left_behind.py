"""What lies behind the end that headers tell, in bytes made by hand; tests/separator/test_chains.py has real files."""

import random
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.separator.audio.left_behind import left_behind

NOISE = random.Random(1).randbytes(9000)
KINDS = ("wav", "w64", "aiff", "au", "caf", "tta", "ape", "flv", "asf", "mov", "mp3")


def riff(*chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + sum(map(len, chunks))) + b"WAVE" + b"".join(chunks)


def chunk(name: bytes, body: bytes, *, size: int | None = None, pads: bool = True) -> bytes:
    padding = b"\0" if pads and len(body) % 2 else b""
    return name + struct.pack("<I", len(body) if size is None else size) + body + padding


def ape(sound: bytes) -> bytes:
    """Of version 3.99, as the SDK's APEHeader.h has it: the descriptor's size, those of what follows, and a digest."""
    sizes = (52, 24, 8, 44, len(sound), 0, 10)
    return b"MAC " + struct.pack("<HH7I", 3990, 0, *sizes) + bytes(16) + bytes(24 + 8 + 44) + sound + bytes(10)


WORDS = (
    *(b"RIFF", b"WAVE", b"data", b"SSND", b"FORM", b"caff", b"TTA1", b"FLV\1", b"ftyp", b"moov", b"mdat", b"ds64"),
    *(b"\xff" * 4, b"\x7f" * 4, bytes(4), b"\0\0\0\x08", b"\x08\0\0\0", b"ID3\4", b"MAC \x96\x0f"),
)
FORMAT, SONG = chunk(b"fmt ", bytes(16)), chunk(b"data", NOISE)


def told(folder: Path, content: bytes, kind: str = "wav") -> str | None:
    path = folder / "song"
    path.write_bytes(content)
    return left_behind(path, kind)


@pytest.mark.parametrize(
    "content",
    [
        riff(FORMAT, SONG),
        riff(FORMAT, SONG, chunk(b"LIST", NOISE)),
        riff(FORMAT, chunk(b"data", NOISE[:99], pads=False), chunk(b"LIST", NOISE)),
        riff(FORMAT, SONG) + bytes(20_000),
        riff(FORMAT, SONG) + b"TAG" + bytes(125),
        riff(FORMAT, SONG) + NOISE[:1000],
        riff(FORMAT, chunk(b"data", NOISE, size=0)),
        riff(FORMAT, chunk(b"data", NOISE, size=0xFFFFFFFF)),
        riff(FORMAT, chunk(b"data", NOISE, size=10_000)),
        riff(FORMAT) + riff(FORMAT, SONG),
        b"ID3\4\0\0\0\0\0\x05" + bytes(5) + riff(FORMAT, SONG),
        b"",
    ],
)
def test_there_is_nothing_to_tell(tmp_path: Path, content: bytes) -> None:
    """Chunks behind the sound, padded or not, zeros, tags, a little junk; sizes that can't be, which mean the rest."""
    assert told(tmp_path, content) is None


@pytest.mark.parametrize("between", [b"", bytes(3000), b"ID3\4\0\0\0\0\0\x05" + bytes(5)])
def test_another_file_is_told_of(tmp_path: Path, between: bytes) -> None:
    """At once behind the first, or behind zeros or a tag."""
    first = riff(FORMAT, SONG)
    other = between + riff(FORMAT, SONG)
    wanted = (
        f"another file follows the one that is heard: the {len(other)} bytes from byte {len(first)} on are left out"
    )
    assert told(tmp_path, first + other) == wanted


def test_samples_that_the_header_leaves_out_are_told_of(tmp_path: Path) -> None:
    """The chunk's size is too small by far."""
    content = riff(FORMAT, chunk(b"data", b"\x81" * 9000, size=1000))
    end = len(riff(FORMAT)) + 8 + 1000
    assert told(tmp_path, content) == (
        f"the headers tell of an end before that of the file: the 8000 bytes from byte {end} on are left out"
    )


def test_monkeys_audio_ends_where_its_descriptor_says(tmp_path: Path) -> None:
    """There is no encoder at hand: by the numbers of the format alone."""
    assert told(tmp_path, ape(NOISE), "ape") is None
    assert told(tmp_path, ape(NOISE) + b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8), "ape") is None
    warning = told(tmp_path, ape(NOISE) + ape(NOISE), "ape")
    assert warning is not None
    assert warning.startswith("another file follows")
    assert f"from byte {len(ape(NOISE))} on" in warning


@given(st.binary(max_size=300) | st.lists(st.sampled_from(WORDS)).map(b"".join))
def test_whatever_lies_in_a_file_it_is_looked_at(content: bytes) -> None:
    """As every kind: nothing is raised, and what is told is a part of the file."""
    with tempfile.TemporaryDirectory() as folder:
        warnings = [told(Path(folder), content, kind) for kind in KINDS]
    for warning in filter(None, warnings):
        count, begin = (int(word) for word in warning.split() if word.isdigit())
        assert 0 < count <= len(content)
        assert begin + count <= len(content)
