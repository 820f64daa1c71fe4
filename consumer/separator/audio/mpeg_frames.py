"""What is put around the frames of an mp3: ffmpeg then overlooks LAME's header, or plays the padding that it tells of.

The header is looked for where ISO/IEC 11172-3 puts the side information of the first frame, which holds it in place of
sound: the tag `Xing` or `Info`, and behind it, where its flags say so, how many frames and bytes there are.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.links import MOST_LINKS
from consumer.separator.audio.mpeg_start import frame_bytes, passed_over
from consumer.separator.audio.trailing_tags import end_of_sound
from consumer.separator.audio.wave_header import id3_size, read_format, samples_place

_LOOK_BYTES = 1 << 18  # in front and behind: more is no junk
_MOST_TAGS = 8
_HEAD_BYTES = 4
_LAYER_3 = 0x55  # in WAVE
_CHUNK_BYTES = 1 << 20
_TAGS = (b"Xing", b"Info")
_SIDES_BYTES = (32, 17, 9)
_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")  # layer III of MPEG 2.5, 2 and 1, with a checksum or without
_HAS_FRAMES, _HAS_BYTES = 1, 2
_PARTS = ((_HAS_FRAMES, 4), (_HAS_BYTES, 4), (4, 100), (8, 4))  # by their flags: the last are seek points and quality
_DELAY_AT, _DECODERS_DELAY = 21, 529  # bytes behind the parts, samples


@dataclass(frozen=True, slots=True)
class _Frame:
    """size: bytes of the whole frame. side_bytes: of the side information behind its head. samples: that it holds."""

    size: int
    side_bytes: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """LAME's, in a frame of its own. start: where that begins. told_bytes, told_frames: what it tells of, with and
    without itself; 0 for none. front: samples that the encoder and the decoder put before the sound.
    """

    start: int
    frame: _Frame
    told_bytes: int
    told_frames: int
    front: int
    count: int | None


def sections_of_mp3(path: Path) -> tuple[Section, ...]:
    """The sound of the file, or of each of the files that are joined in it, from LAME's header to the last frame that
    it tells of; none where ffmpeg finds that by itself.

    What looks like further frames behind those is kept: a file without a header may be joined to it. Raises
    Rejected(AUDIO_UNDECODABLE) where there are more than MOST_LINKS.
    """
    with path.open("rb") as file:
        size, begin = path.stat().st_size, 0
        for _ in range(_MOST_TAGS):
            begin += id3_size(_at(file, begin, 10))
        starts = [0]
        for start in _lame_headers(file):
            last = max(begin, starts[-1])
            if any(_frames(_at(file, last, max(0, min(start - last, _LOOK_BYTES))))):
                starts.append(start)
            if len(starts) > MOST_LINKS:
                raise Rejected(Code.AUDIO_UNDECODABLE, f"the file is a chain of more than {MOST_LINKS} links")
        if len(starts) == 1:
            only = _sound(file, 0, begin, (size, end_of_sound(path)))
            return (only,) if only else ()
        ends = [(start, start) for start in starts[1:]] + [(size, end_of_sound(path))]
        found = []
        for start, end in zip(starts, ends, strict=True):
            section = _sound(file, start, max(start, begin), end)
            found.append(section or Section(first=start, end=end[0]))
        return tuple(found)


def section_in_wave(path: Path) -> tuple[Section, ...]:
    """Where frames lie in a WAVE file whose first one holds LAME's header, which ffmpeg does not look for there; none
    in any other file.
    """
    with path.open("rb") as file:
        form = read_format(file)
        if form is None or form.kind != _LAYER_3 or (place := samples_place(file)) is None:
            return ()
        start, end = place
        if not _lame_header(_at(file, start, max(0, min(_LOOK_BYTES, end - start)))):
            return ()
        return (_sound(file, start, start, (end, end)) or Section(first=start, end=end),)


def _sound(file: BinaryIO, start: int, begin: int, ends: tuple[int, int]) -> Section | None:
    """Of the part of the file from `start` on, whose tags end at `begin`; None where it is all of that.

    ends: of the part, and of what is in front of the tags at its end.
    """
    size, tagged_end = ends
    found = _lame_header(_at(file, begin, max(0, min(_LOOK_BYTES, size - begin))))
    if found is None:
        place = passed_over(file, begin, tagged_end)
        return None if place is None else Section(first=place, end=size, is_frames=True)
    first = begin + found.start
    behind = first + found.frame.size
    # One more than it tells of, since ffmpeg leaves out the padding of the last of these, wherever that is.
    frames, end_of_frames = _count_frames(file, behind, tagged_end, found.told_frames + 1)
    place = passed_over(file, behind, tagged_end)
    if found.told_frames and found.front and (place is not None or frames > found.told_frames):
        count = found.count if frames == found.told_frames else None
        return Section(first=behind, end=size, front=found.front, count=count, is_frames=place is not None)
    end = first + found.told_bytes if found.told_bytes else size
    is_padded = end < tagged_end <= end + _LOOK_BYTES and not any(_frames(_at(file, end, tagged_end - end)))
    if found.count and found.front and frames == found.told_frames and end < end_of_frames:
        # A size that can't be has ffmpeg forget the padding, too.
        return Section(first=behind, end=size, front=found.front, count=found.count)
    if not is_padded:
        end = size
    return Section(first=first if first > begin else start, end=end) if first > begin or is_padded else None


def _count_frames(file: BinaryIO, place: int, end: int, most: int) -> tuple[int, int]:
    """How many frames lie one behind the other from here on, so many at most, and where the last one ends."""
    begin, chunk = place, b""
    for number in range(most):
        if not begin <= place <= begin + len(chunk) - _HEAD_BYTES:
            begin, chunk = place, _at(file, place, _CHUNK_BYTES)
        frame = _frame_with(chunk[place - begin : place - begin + _HEAD_BYTES])
        if frame is None or place + frame.size > end:
            return number, place
        place += frame.size
    return most, place


def _lame_headers(file: BinaryIO) -> Iterator[int]:
    """Where each frame begins that holds LAME's header, in the whole file."""
    place = 0
    while True:
        chunk = _at(file, place, _CHUNK_BYTES)
        for found in sorted(found for tag in _TAGS for found in _places(chunk, tag)):
            for side_bytes in _SIDES_BYTES:
                start = place + found - side_bytes - _HEAD_BYTES
                frame = _frame_at(file, start) if start >= 0 else None
                if frame and frame.side_bytes == side_bytes and _frame_at(file, start + frame.size):
                    yield start
        if len(chunk) < _CHUNK_BYTES:
            return
        place += _CHUNK_BYTES - len(b"Xing") + 1


def _places(data: bytes, sought: bytes) -> Iterator[int]:
    """Where these bytes stand, by what is far faster than a regular expression of several."""
    place = data.find(sought)
    while place >= 0:
        yield place
        place = data.find(sought, place + len(sought))


def _frame_at(file: BinaryIO, start: int) -> _Frame | None:
    return _frame_with(_at(file, start, _HEAD_BYTES))


@lru_cache(1024)  # a file has thousands of frames, and some dozens of heads
def _frame_with(head: bytes) -> _Frame | None:
    """What a frame's head says, if it is one."""
    return _frame(head) if _SYNC.match(head) else None


def _at(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)


def _lame_header(data: bytes) -> _Header | None:
    """What the first frame tells, if it holds the header and not sound."""
    for start, frame in _frames(data):
        tag = start + _HEAD_BYTES + frame.side_bytes
        if data[tag : tag + 4] not in (b"Xing", b"Info"):
            return None
        flags, *told = struct.unpack_from(">III", data[tag + 4 :].ljust(12, b"\0"))
        has_both = flags & _HAS_FRAMES and flags & _HAS_BYTES
        place = tag + 8 + sum(size for bit, size in _PARTS if flags & bit) + _DELAY_AT
        delay, padding = divmod(int.from_bytes(data[place : place + 3], "big"), 1 << 12)
        frames = told[0] if flags & _HAS_FRAMES else 0
        count = frames * frame.samples - delay - padding
        return _Header(
            start=start,
            frame=frame,
            told_bytes=told[1] if has_both else 0,
            told_frames=frames,
            front=delay + _DECODERS_DELAY if delay else 0,
            count=count if count > 0 else None,
        )
    return None


def _frames(data: bytes) -> Iterator[tuple[int, _Frame]]:
    """Where whole frames begin that another one follows, or the data's end."""
    for match in _SYNC.finditer(data):
        frame = _frame(data[match.start() : match.start() + _HEAD_BYTES])
        if frame is None:
            continue
        following = match.start() + frame.size
        if following == len(data) or (
            _SYNC.match(data, following) and _frame(data[following : following + _HEAD_BYTES])
        ):
            yield match.start(), frame


def _frame(head: bytes) -> _Frame | None:
    """What a frame's head says, if it can be one."""
    size = frame_bytes(int.from_bytes(head, "big")) if len(head) == _HEAD_BYTES else 0
    if not size:
        return None
    is_first, is_mono = head[1] >> 3 & 3 == 3, head[3] >> 6 == 3
    side = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}[is_first, is_mono]
    return _Frame(size, side, 1152 if is_first else 576)
