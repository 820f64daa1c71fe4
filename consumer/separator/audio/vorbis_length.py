"""Where an Ogg Vorbis stream begins and ends, by its pages: ffmpeg ends it too early, or where its last packet does.

Its demuxer counts samples of the first packet, which gives none (Vorbis I, 1.3.2): these are left out at the beginning,
and once more at the end.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from consumer.separator.audio.ffmpeg import Section

_HEAD = struct.Struct("<4sBBqIIIB")  # magic, version, flags, position, serial, number, checksum, segments
_CONTINUES, _BEGINS, _ENDS = 0x01, 0x02, 0x04
_IDENTIFICATION, _MOST_HEAD_BYTES = b"\x01vorbis", 30
_OTHER_SOUND = (b"OpusHead", b"\x7fFLAC", b"Speex   ", b"PCM     ")
_MOST_PAGES = 200  # before the first that has samples
_TAIL_BYTES = 1 << 18
_MOST_JUNK_BYTES = 1 << 16  # in front of the first page


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """position: the samples up to its end; -1 where no packet ends on it. packets: that end on it."""

    flags: int
    position: int
    serial: int
    packets: int
    body: int  # where it begins in the file
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    """blocks: the sizes of its short and long ones, in samples."""

    serial: int
    blocks: tuple[int, int]
    rate_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VorbisSpan:
    """Which of the samples that ffmpeg's decoder gives are the sound: `count` of them from `first` on, where none is
    missing between them.
    """

    first: int
    count: int
    rate_hz: int

    @property
    def duration_s(self) -> float:
        """From its first sample to its end."""
        return self.count / self.rate_hz


def vorbis_span(path: Path, section: Section | None = None) -> VorbisSpan | None:
    """Of the Vorbis stream in this Ogg file, or in this part of it; None where there is none, or where its pages don't
    say: it is cut off at the end, or begins in the middle of a recording.
    """
    with path.open("rb") as file:
        start, end = (section.first, section.end) if section else (0, path.stat().st_size)
        file.seek(start)
        start += max(0, file.read(_MOST_JUNK_BYTES).find(b"OggS"))
        stream, packets, first = None, 0, None
        for page in _pages(file, start, end):
            if page.flags & _BEGINS:
                file.seek(page.body)
                head = file.read(_MOST_HEAD_BYTES)
                if head.startswith(_OTHER_SOUND) or (stream and head.startswith(_IDENTIFICATION)):
                    return None  # of several tracks it is not known which is meant
                stream = stream or _identify(page, head)
            elif stream is None:
                return None  # all streams of a link begin at its beginning
            elif page.serial == stream.serial:
                packets += page.packets
                first = _first_sample(file, page, stream) if first is None else first
                if first is not None and page.position > 0:
                    # More than its packets can hold: positions go on from a recording that this is a part of.
                    is_whole = page.position <= packets * max(stream.blocks)
                    position = _last_position(file, start, end, stream.serial) if is_whole else None
                    return None if position is None else VorbisSpan(first=first, count=position, rate_hz=stream.rate_hz)
    return None


def whole_vorbis(args: list[str], path: Path, section: Section | None) -> list[str]:
    """ffmpeg's options to decode this file, such that a Vorbis stream's sound is given to the sample."""
    span = vorbis_span(path, section)
    if span is None:
        return args
    # The end by its time behind the first sample: packets may be missing between them, which leave a gap.
    cut = f"atrim=start_sample={span.first}:duration={span.duration_s:.6f}"
    if "-af" in args:
        place = args.index("-af") + 1
        args = [*args[:place], f"{cut},{args[place]}", *args[place + 1 :]]
    else:
        args = [*args, "-af", cut]
    return ["-flags2:a", "+skip_manual", *args]  # so that the decoder itself cuts nothing


def _identify(page: _Page, head: bytes) -> _Stream | None:
    """By the identification header (Vorbis I, 4.2.2)."""
    if len(head) < _MOST_HEAD_BYTES or not head.startswith(_IDENTIFICATION):
        return None
    rate_hz = int.from_bytes(head[12:16], "little")
    blocks = (1 << (head[28] & 15), 1 << (head[28] >> 4))
    return _Stream(serial=page.serial, blocks=blocks, rate_hz=rate_hz) if rate_hz else None


def _first_sample(file: BinaryIO, page: _Page, stream: _Stream) -> int | None:
    """What the decoder gives for the first packet of sound, half a block that is none; None before that packet."""
    file.seek(page.body)
    begin = file.read(1)
    if page.flags & _CONTINUES or not begin or begin[0] & 1:  # a header's
        return None
    return stream.blocks[begin[0] >> 1 & 1] // 2  # encoders have two modes: one of short blocks, one of long ones


def _pages(file: BinaryIO, first: int, end: int) -> Iterator[_Page]:
    """The first pages, one behind the other, for as long as they are whole."""
    for _ in range(_MOST_PAGES):
        page = _page(file, first)
        if page is None or page.end > end:
            return
        yield page
        first = page.end


def _page(file: BinaryIO, first: int) -> _Page | None:
    file.seek(first)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    magic, _, flags, position, serial, _, _, segments = _HEAD.unpack(head)
    lacing = file.read(segments)
    if magic != b"OggS" or len(lacing) < segments:
        return None
    body = first + _HEAD.size + segments
    packets = sum(size < 255 for size in lacing)
    return _Page(flags=flags, position=position, serial=serial, packets=packets, body=body, end=body + sum(lacing))


def _last_position(file: BinaryIO, first: int, end: int, serial: int) -> int | None:
    """Of the stream's last page, if that says that it is the last."""
    start = max(first, end - _TAIL_BYTES)
    file.seek(start)
    tail = file.read(end - start)
    place = len(tail)
    while (place := tail.rfind(b"OggS", 0, place)) >= 0:
        page = _page(file, start + place)
        if page and page.serial == serial and page.end <= end:
            return page.position if page.flags & _ENDS and page.position > 0 else None
    return None
