"""Where the links of a chain lie, seen in bytes made by hand."""

import random
import struct
from functools import cache
from pathlib import Path

import pytest

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.links import MOST_LINKS, find_links

BODY = random.Random(1).randbytes(4000)


def crc(data: bytes) -> int:
    """Bit by bit, as RFC 3533 defines it."""
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)
    return value & 0xFFFFFFFF


@cache
def page(flags: int, body: bytes = b"body", *, serial: int = 1) -> bytes:
    lacing = bytes([255] * (len(body) // 255) + [len(body) % 255])
    head = b"OggS\0" + struct.pack("<BqIII", flags, 0, serial, 0, 0) + bytes([len(lacing)]) + lacing
    return head[:22] + struct.pack("<I", crc(head + body)) + head[26:] + body


def link(*, streams: int = 1, pages: int = 3) -> bytes:
    begins = b"".join(page(2, serial=number) for number in range(streams))
    return begins + pages * page(0, BODY) + page(4)


def sections(path: Path, *parts: bytes) -> tuple[Section, ...]:
    path.write_bytes(b"".join(parts))
    return find_links(path)


def borders(*parts: bytes) -> tuple[Section, ...]:
    ends = [sum(map(len, parts[: number + 1])) for number in range(len(parts))]
    return tuple(Section(first=first, end=end) for first, end in zip([0, *ends[:-1]], ends, strict=True))


def test_one_stream_is_no_chain(tmp_path: Path) -> None:
    """Nor are streams side by side, or files of another kind, or none."""
    assert sections(tmp_path / "x", link()) == ()
    assert sections(tmp_path / "x", link(streams=3)) == ()
    assert sections(tmp_path / "x", b"RIFF", link(), link()) == ()
    assert sections(tmp_path / "x", b"") == ()


@pytest.mark.parametrize("pages", [1, 3, 262, 263, 600])  # a megabyte is read at a time
def test_links_lie_one_behind_the_other(tmp_path: Path, pages: int) -> None:
    """Of one stream and of several, the same or other serial numbers, whatever their size."""
    parts = [link(pages=pages), link(streams=2), link(pages=2), link(pages=pages)]
    assert sections(tmp_path / "x", *parts) == borders(*parts)


def test_a_link_begins_on_the_border_of_what_is_read(tmp_path: Path) -> None:
    """Wherever it falls, it is seen, and once."""
    for size in range((1 << 20) - 9, (1 << 20) + 2):
        first = page(2) + bytes(size - len(page(2)))
        parts = [first, link()]
        assert sections(tmp_path / "x", *parts) == borders(*parts)


def test_what_only_looks_like_a_first_page_is_none(tmp_path: Path) -> None:
    """Its checksum tells: in the middle of a packet, damaged, or cut off at the file's end."""
    damaged = bytearray(page(2))
    damaged[-1] ^= 1
    assert sections(tmp_path / "x", link(), bytes(damaged), link()[:5]) == ()
    assert sections(tmp_path / "x", link(), page(0, b"x" + page(2)[:-1]), page(2)[:-1]) == ()


def test_pages_that_belong_to_a_stream_begin_no_link(tmp_path: Path) -> None:
    """Only the flag of a first page, without that of a continued packet, makes one."""
    others = b"".join(page(flags) for flags in (0, 1, 3, 4, 5, 7))
    assert sections(tmp_path / "x", link(), others) == ()


def test_flac_files_are_links_too(tmp_path: Path) -> None:
    """By the marker and the head of STREAMINFO, which has to be the first block and has 34 bytes."""
    one = b"fLaC\0\0\0\x22" + bytes(34) + random.Random(1).randbytes(3000)
    alone = b"fLaC\x80\0\0\x22" + bytes(34) + random.Random(2).randbytes(3000)
    assert sections(tmp_path / "x", one) == ()
    assert sections(tmp_path / "x", one, b"fLaC no, not at all") == ()
    assert sections(tmp_path / "x", one, alone, one) == borders(one, alone, one)


def test_there_is_an_end_to_chains(tmp_path: Path) -> None:
    """Each link takes a process; a thousand are enough."""
    short = page(2) + page(4)
    assert len(sections(tmp_path / "x", *[short] * MOST_LINKS)) == MOST_LINKS
    with pytest.raises(Rejected, match="a chain of more than 1000 links") as refusal:
        sections(tmp_path / "x", *[short] * (MOST_LINKS + 1))
    assert refusal.value.code is Code.AUDIO_UNDECODABLE


def test_amr_files_follow_each_other(tmp_path: Path) -> None:
    """Of either kind (RFC 4867, 5.1), wherever a megabyte that is read at a time ends; one alone is no chain."""
    narrow, wide = b"#!AMR\n" + b"\x3c" * 32, b"#!AMR-WB\n" + b"\x44" * 61
    assert sections(tmp_path / "x", narrow) == ()
    assert sections(tmp_path / "x", narrow, wide, narrow) == borders(narrow, wide, narrow)
    for cut in range(-9, 9):
        first = b"#!AMR-WB\n".ljust((1 << 20) + cut, b"\x44")
        assert sections(tmp_path / "x", first, wide) == borders(first, wide)
    assert sections(tmp_path / "x", b"RIFF", narrow, narrow) == ()
