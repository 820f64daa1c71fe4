"""Where an Ogg Vorbis stream begins and ends, by its pages: ffmpeg ends it too early, or where its last packet does.

Its demuxer counts samples of the first packet, which gives none (Vorbis I, 1.3.2): these are left out at the beginning,
and once more at the end. What the pages say of their positions is held against what their packets hold: a first page
that says less begins before the sound, a last one ends behind it (Vorbis I, A.2), and any other one lies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.ogg_pages import (
    BEGINS,
    CONTINUES,
    ENDS,
    Page,
    first_pages,
    goes_back,
    last_pages,
    place_of,
)
from consumer.separator.audio.trimming import trim, trimmed
from consumer.separator.audio.vorbis_packets import VorbisPackets, mode_blocks

_IDENTIFICATION, _MOST_HEAD_BYTES = b"\x01vorbis", 30
_OTHER_SOUND = (b"OpusHead", b"\x7fFLAC", b"Speex   ", b"PCM     ")
_HEADERS = 3
_FIRST_PAGES = 8  # of sound, that are looked at at the beginning


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    """blocks: the sizes of its short and long ones, in samples. modes: the same of each mode."""

    serial: int
    blocks: tuple[int, int]
    rate_hz: int
    modes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What a page tells of the time at its end.

    samples: that the packets give which end on it, and on those before it that tell of no time; latest: that the last
    of them gives; None where that is not known.
    """

    position: int
    samples: int | None
    latest: int | None
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VorbisSpan:
    """Which of the samples that ffmpeg's decoder gives are the sound: `count` of them from `first` on, where none is
    missing between them; None for all, where the positions are none that the stream can have.
    """

    first: int
    count: int | None
    rate_hz: int


def vorbis_span(path: Path, section: Section | None = None) -> VorbisSpan | None:
    """Of the Vorbis stream in this Ogg file, or in this part of it; None where there is none, or where its pages don't
    say: it is cut off at the end, or in the middle of its headers.
    """
    with path.open("rb") as file:
        start, end = place_of(file, path, section)
        stream, sound = _head(file, start, end)
        if stream is None or not sound or not stream.modes:
            return None
        half_block = _first_block(file, sound[0], stream)
        last = [page for page in last_pages(file, start, end, stream.serial) if page.body >= sound[0].body]
        if half_block is None or not last or not last[-1].flags & ENDS or last[-1].position < 0:
            return None
        first_places = list(_places(file, sound, stream, is_beginning=True))
        last_places = list(_places(file, last, stream, is_beginning=False))
        if not first_places or not last_places:
            return None
        begins = _begin(first_places[0])
        count = last[-1].position - max(0, begins)
        is_told = count > 0 and -begins <= max(stream.blocks) and not _cuts_too_much(first_places, last_places)
        is_lying = any(map(_is_lie, [*pairwise(first_places), *pairwise(last_places)]))
        if not is_told or is_lying or goes_back(file, start, end, stream.serial):
            return VorbisSpan(first=half_block, count=None, rate_hz=stream.rate_hz)
        return VorbisSpan(first=half_block + max(0, -begins), count=count, rate_hz=stream.rate_hz)


def whole_vorbis(args: list[str], path: Path, section: Section | None) -> list[str]:
    """ffmpeg's options to decode this file, such that a Vorbis stream's sound is given to the sample."""
    span = vorbis_span(path, section)
    if span is None:
        return args
    return trimmed(args, trim(first=span.first, count=span.count, rate_hz=span.rate_hz))


def _head(file: BinaryIO, start: int, end: int) -> tuple[_Stream | None, list[Page]]:
    """The stream, and its first pages of sound; no stream where it is not known which one is meant."""
    stream, packets, sound = None, 0, list[Page]()
    for page in first_pages(file, start, end):
        if page.flags & BEGINS:
            file.seek(page.body)
            head = file.read(_MOST_HEAD_BYTES)
            if head.startswith(_OTHER_SOUND) or (stream and head.startswith(_IDENTIFICATION)):
                return None, []
            stream = stream or _identify(page, head)
            packets = packets or int(stream is not None)
        elif stream is None:
            return None, []  # all streams of a link begin at its beginning
        elif page.serial == stream.serial:
            if packets >= _HEADERS:
                sound.append(page)
            packets += page.packets
            if packets == _HEADERS and not sound:
                modes = mode_blocks(file, page.end, stream.blocks)
                stream = _Stream(serial=stream.serial, blocks=stream.blocks, rate_hz=stream.rate_hz, modes=modes or ())
        if len(sound) == _FIRST_PAGES:
            break
    return stream, sound


def _places(file: BinaryIO, pages: list[Page], stream: _Stream, *, is_beginning: bool) -> Iterator[_Place]:
    """Of those of the pages, one behind the other, that tell of a time."""
    packets = VorbisPackets(stream.modes, is_beginning=is_beginning)
    samples: int | None = 0
    for page in pages:
        given = packets.on_page(file, page)
        samples = None if samples is None or given is None else samples + given
        if page.position >= 0 and page.packets:
            yield _Place(
                position=page.position, samples=samples, latest=packets.latest, is_last=bool(page.flags & ENDS)
            )
            samples = 0


def _begin(place: _Place) -> int:
    """The position of the first sample, by the first page: below 0 where some are not to be heard."""
    begins = place.position - (place.samples or 0)
    return max(0, begins) if place.is_last else begins  # what that says less is cut off at its end


def _is_lie(places: tuple[_Place, _Place]) -> bool:
    """Whether the later one tells of less time than there is sound."""
    before, place = places
    return place.samples is not None and not place.is_last and place.position - before.position < place.samples


def _cuts_too_much(first_places: list[_Place], last_places: list[_Place]) -> bool:
    """Whether the last page tells of more that is not to be heard than its last packet, which is all that decoders
    heed.
    """
    places = last_places if len(last_places) > 1 else first_places
    last = places[-1]
    if not last.is_last or last.samples is None or last.latest is None:
        return False
    before = places[-2].position if len(places) > 1 else 0
    return before + last.samples - last.position > last.latest


def _identify(page: Page, head: bytes) -> _Stream | None:
    """By the identification header (Vorbis I, 4.2.2)."""
    if len(head) < _MOST_HEAD_BYTES or not head.startswith(_IDENTIFICATION):
        return None
    rate_hz = int.from_bytes(head[12:16], "little")
    blocks = (1 << (head[28] & 15), 1 << (head[28] >> 4))
    return _Stream(serial=page.serial, blocks=blocks, rate_hz=rate_hz) if rate_hz else None


def _first_block(file: BinaryIO, page: Page, stream: _Stream) -> int | None:
    """What the decoder gives for the first packet of sound, half a block that is none; None where a header goes on."""
    file.seek(page.body)
    begin = file.read(1)
    if page.flags & CONTINUES or not begin or begin[0] & 1:
        return None
    mode = begin[0] >> 1 & (1 << (len(stream.modes) - 1).bit_length()) - 1
    return stream.modes[mode] // 2 if mode < len(stream.modes) else None
