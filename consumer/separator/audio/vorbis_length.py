"""Where an Ogg Vorbis stream begins and ends, by its pages: ffmpeg ends it too early, or where its last packet does.

Its demuxer counts samples of the first packet, which gives none (Vorbis I, 1.3.2): these are left out at the beginning,
and once more at the end.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.ogg_pages import BEGINS, CONTINUES, End, Page, end_of, first_pages, place_of
from consumer.separator.audio.trimming import trim, trimmed

_IDENTIFICATION, _MOST_HEAD_BYTES = b"\x01vorbis", 30
_OTHER_SOUND = (b"OpusHead", b"\x7fFLAC", b"Speex   ", b"PCM     ")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    """blocks: the sizes of its short and long ones, in samples."""

    serial: int
    blocks: tuple[int, int]
    rate_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VorbisSpan:
    """Which of the samples that ffmpeg's decoder gives are the sound: `count` of them from `first` on, where none is
    missing between them; None for all, where the last position is none that the stream can have.
    """

    first: int
    count: int | None
    rate_hz: int


def vorbis_span(path: Path, section: Section | None = None) -> VorbisSpan | None:
    """Of the Vorbis stream in this Ogg file, or in this part of it; None where there is none, or where its pages don't
    say: it is cut off at the end, or begins in the middle of a recording.
    """
    with path.open("rb") as file:
        start, end = place_of(file, path, section)
        stream, packets, first = None, 0, None
        for page in first_pages(file, start, end):
            if page.flags & BEGINS:
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
                    last = end_of(file, start, end, stream.serial) if is_whole else None
                    if last is None or last.page.position < 0:
                        return None
                    count = last.page.position if _is_possible(last, stream) else None
                    return VorbisSpan(first=first, count=count, rate_hz=stream.rate_hz)
    return None


def whole_vorbis(args: list[str], path: Path, section: Section | None) -> list[str]:
    """ffmpeg's options to decode this file, such that a Vorbis stream's sound is given to the sample."""
    span = vorbis_span(path, section)
    if span is None:
        return args
    return trimmed(args, trim(first=span.first, count=span.count, rate_hz=span.rate_hz))


def _is_possible(last: End, stream: _Stream) -> bool:
    """Whether the last page's position cuts no more than a decoder would heed, which is its last block."""
    if last.before is None:
        return True
    short, long = stream.blocks
    return last.page.position - last.before >= max(1, last.page.packets * short // 2 - long)


def _identify(page: Page, head: bytes) -> _Stream | None:
    """By the identification header (Vorbis I, 4.2.2)."""
    if len(head) < _MOST_HEAD_BYTES or not head.startswith(_IDENTIFICATION):
        return None
    rate_hz = int.from_bytes(head[12:16], "little")
    blocks = (1 << (head[28] & 15), 1 << (head[28] >> 4))
    return _Stream(serial=page.serial, blocks=blocks, rate_hz=rate_hz) if rate_hz else None


def _first_sample(file: BinaryIO, page: Page, stream: _Stream) -> int | None:
    """What the decoder gives for the first packet of sound, half a block that is none; None before that packet."""
    file.seek(page.body)
    begin = file.read(1)
    if page.flags & CONTINUES or not begin or begin[0] & 1:  # a header's
        return None
    return stream.blocks[begin[0] >> 1 & 1] // 2  # encoders have two modes: one of short blocks, one of long ones
