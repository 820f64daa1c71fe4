"""Where an Ogg Speex stream begins and ends, by its pages: ffmpeg plays what its encoder and decoder put in front.

The positions of the pages count from where the sound begins (Speex manual, 5.6): its first page holds more samples than
they say, by the encoder's look-ahead, and the decoder has one of its own. speexdec leaves both out.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.ogg_pages import BEGINS, Page, end_of, first_pages, place_of
from consumer.separator.audio.trimming import trim, trimmed

_MAGIC, _HEAD_BYTES = b"Speex   ", 80
_NARROW_FRAME, _DECODERS_LOOK_AHEAD = 160, 40  # samples; in wider modes twice and four times as many
_ENCODERS_LOOK_AHEAD = {160: 40, 320: 143, 640: 349}  # by samples of a frame
_MOST_FRAMES, _MOST_HEADERS = 10, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    """frame: samples of one. packet: of one packet, in which there may be several frames. headers: packets of them."""

    serial: int
    rate_hz: int
    frame: int
    packet: int
    headers: int


def whole_speex(args: list[str], path: Path, section: Section | None) -> list[str]:
    """ffmpeg's options to decode this file, or this part of it, such that a Speex stream's sound is given to the
    sample. They are as they were where there is none, or where its pages don't say.
    """
    with path.open("rb") as file:
        start, end = place_of(file, path, section)
        stream, packets = None, 0
        for page in first_pages(file, start, end):
            if page.flags & BEGINS:
                stream = stream or _identify(file, page)
            elif stream and page.serial == stream.serial:
                packets += page.packets
                if page.position > 0:
                    sound = packets + 1 - stream.headers
                    return _trimmed(args, stream, first=_first(page, sound, stream), count=_count(file, end, stream))
    return args


def _trimmed(args: list[str], stream: _Stream, *, first: int | None, count: int | None) -> list[str]:
    return args if first is None else trimmed(args, trim(first=first, count=count, rate_hz=stream.rate_hz))


def _first(page: Page, packets: int, stream: _Stream) -> int | None:
    """How many samples come before the sound, whose first page this is, with so many packets; None where it is not
    the beginning of a recording.
    """
    surplus = packets * stream.packet - page.position
    if not 0 < surplus < 2 * stream.packet:
        return None
    # On a page that is the last one too, the end is cut as well.
    front = min(surplus, _ENCODERS_LOOK_AHEAD[stream.frame])
    return front + _DECODERS_LOOK_AHEAD * stream.frame // _NARROW_FRAME


def _count(file: BinaryIO, end: int, stream: _Stream) -> int | None:
    """How many samples the sound has; None where its last page doesn't tell, or what can't be."""
    last = end_of(file, 0, end, stream.serial)
    if last is None or last.before is None:
        return None
    least = (last.page.packets - 1) * stream.packet - _ENCODERS_LOOK_AHEAD[stream.frame]
    return last.page.position if last.page.position - last.before >= max(1, least) else None


def _identify(file: BinaryIO, page: Page) -> _Stream | None:
    """By its header (Speex manual, 5.6)."""
    file.seek(page.body)
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or not head.startswith(_MAGIC):
        return None
    rate_hz = struct.unpack_from("<i", head, 36)[0]
    frame, _, frames, extra = struct.unpack_from("<iiii", head, 56)
    is_known = rate_hz > 0 and frame in _ENCODERS_LOOK_AHEAD and 0 <= frames <= _MOST_FRAMES
    if not is_known or not 0 <= extra <= _MOST_HEADERS:
        return None
    packet = frame * max(1, frames)
    return _Stream(serial=page.serial, rate_hz=rate_hz, frame=frame, packet=packet, headers=2 + extra)
