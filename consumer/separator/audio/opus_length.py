"""Where an Ogg Opus stream lies whose pages tell of less than there is: ffmpeg drops what they don't tell of.

A last page may say that its end is not to be heard, but no page may say that the sound ends before it begins, and a
first one that is not the last counts all that it holds (RFC 7845, 4.3 to 4.5). Where one does so all packets are heard.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.ogg_pages import BEGINS, ENDS, Page, end_of, first_pages, place_of
from consumer.separator.audio.trimming import trim, trimmed

_MAGIC, _HEAD_BYTES, _RATE_HZ = b"OpusHead", 19, 48000
_OTHER_SOUND = (b"\x01vorbis", b"\x7fFLAC", b"Speex   ", b"PCM     ")
_HEADERS = 2
# Samples of a frame, by the upper bits of a packet's first byte (RFC 6716, 3.1).
_SILK, _HYBRID, _CELT = (480, 960, 1920, 2880), (480, 960), (120, 240, 480, 960)
_FRAMES = (*3 * _SILK, *2 * _HYBRID, *4 * _CELT)


def whole_opus(args: list[str], path: Path, section: Section | None) -> list[str]:
    """ffmpeg's options to decode this file, or this part of it, such that nothing of an Opus stream is lost. They are
    as they were where there is none, or where its pages tell of what can be.
    """
    with path.open("rb") as file:
        start, end = place_of(file, path, section)
        pages, serial, pre_skip = list[Page](), -1, 0
        for page in first_pages(file, start, end):
            if page.flags & BEGINS:
                file.seek(page.body)
                head = file.read(_HEAD_BYTES)
                if head.startswith(_OTHER_SOUND) or (serial >= 0 and head.startswith(_MAGIC)):
                    return args
                if head.startswith(_MAGIC):
                    serial, pre_skip = page.serial, int.from_bytes(head[10:12], "little")
            if page.serial == serial:
                pages.append(page)
                if page.position > 0:
                    break
        last = end_of(file, start, end, serial) if serial >= 0 else None
        is_lying = last is not None and 0 <= last.page.position < pre_skip
        if not is_lying and not (pages and _is_lie(file, pages)):
            return args
    # Without its times, which are as wrong.
    return trimmed(args, f"{trim(first=pre_skip, count=None, rate_hz=_RATE_HZ)},asetpts=N/SR/TB")


def _is_lie(file: BinaryIO, pages: list[Page]) -> bool:
    """Whether the last of these pages, the first ones of a stream, tells of less than there is on all of them."""
    last = pages[-1]
    return last.position > 0 and not last.flags & ENDS and last.position < sum(_durations(file, pages))


def _durations(file: BinaryIO, pages: list[Page]) -> Iterator[int]:
    """In samples, of each packet of sound that ends on one of the pages."""
    begin, packets = b"", 0
    for page in pages:
        place = page.body
        for size in page.lacing:
            if len(begin) < 2:
                file.seek(place)
                begin += file.read(min(size, 2 - len(begin)))
            place += size
            if size < 255:
                packets += 1
                if packets > _HEADERS:
                    yield _duration(begin)
                begin = b""


def _duration(begin: bytes) -> int:
    """In samples, of the packet that begins so."""
    if not begin:
        return 0
    code = begin[0] & 3
    frames = 1 if code == 0 else 2 if code < 3 else begin[-1] & 63
    return frames * _FRAMES[begin[0] >> 3]
