"""Which of a track's samples an MP4 or QuickTime file plays, and when: its edit list (ISO/IEC 14496-12, 8.6.6).

ffmpeg follows such a list by whole frames, not at all behind the last one of some codecs, and puts silence where frames
of others begin before an edit. So it is told to leave the list alone, and what it decodes is cut here. Apple's encoders
without an edit list tell the same of their padding in a tag, iTunSMPB.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.movie_boxes import Box, boxes, find, find_movie, read, sound_tracks

MOST_EDITS = 200  # each takes a start of ffmpeg
_MOST_TABLE_BYTES, _MOST_TAG_BYTES = 64 << 20, 4096
_EMPTY = -1
_APPLE = re.compile(rb" ?[0-9A-F]{8} ([0-9A-F]{8}) ([0-9A-F]{8}) ([0-9A-F]{16})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A part of what is decoded of a track, from first_s up to, without, end_s; None for all to its end. at_s: when it
    is to be heard.
    """

    first_s: Fraction
    end_s: Fraction | None
    at_s: Fraction

    def filters(self, *, since_s: Fraction) -> str:
        """ffmpeg's filters that leave this part alone, with times since then."""
        end = f":end={float(self.end_s):.6f}" if self.end_s is not None else ""
        shift = f"{float(self.at_s - since_s - self.first_s):+.9f}/TB"
        return f"atrim=start={float(self.first_s):.6f}{end},asetpts=round(PTS{shift})"


def edits_of(path: Path, track: int, rate_hz: int) -> tuple[Edit, ...]:
    """The edits of the audio track of this number, in their order; none where the file has no list for it, or tells of
    its sound in fragments. rate_hz: of the track.

    Raises Rejected(AUDIO_UNDECODABLE) where there are more than MOST_EDITS.
    """
    with path.open("rb") as file:
        movie = find_movie(file)
        if movie is None or find(file, movie, b"mvex"):
            return ()
        tracks = sound_tracks(file, movie)
        movie_hz = _timescale(file, movie, b"mvhd")
        if track >= len(tracks) or not movie_hz:
            return ()
        media = find(file, tracks[track], b"mdia")
        media_hz = _timescale(file, media, b"mdhd") if media else 0
        if media is None or not media_hz:
            return ()
        listed = _entries(file, tracks[track])
        if not listed:
            return _by_tag(file, movie, rate_hz) if len(tracks) == 1 else ()
        durations = _durations(file, media)
        counts, each = durations.T
        if ((each == 0) & (counts > 1)).any():  # which none but the last may be: nothing tells
            return (Edit(first_s=Fraction(0), end_s=None, at_s=Fraction(0)),)
        length_s = Fraction(int((counts * each).sum()), media_hz)
        return tuple(_edits(listed, length_s, movie_hz=movie_hz, media_hz=media_hz))


def _edits(listed: list[tuple[int, int]], length_s: Fraction, *, movie_hz: int, media_hz: int) -> Iterator[Edit]:
    """length_s: of all that the track holds."""
    at_s, tick_s = Fraction(0), Fraction(1, movie_hz)
    for duration, start in listed:
        duration_s, first_s = Fraction(duration, movie_hz), Fraction(start, media_hz)
        if start != _EMPTY:
            end_s: Fraction | None = first_s + duration_s
            if abs(first_s + duration_s - length_s) <= tick_s:
                end_s = length_s  # the movie counts in longer steps than the track
            if not duration:
                end_s = None
            yield Edit(first_s=first_s, end_s=end_s, at_s=at_s)
        at_s += duration_s


def _entries(file: BinaryIO, track: Box) -> list[tuple[int, int]]:
    """Duration, by the movie's clock, and start, by the track's, of each edit: -1 for one without sound."""
    box = find(file, track, b"edts", b"elst")
    if box is None:
        return []
    head = read(file, box, 8)
    if len(head) < 8:
        return []
    row, count = struct.Struct(">QqI" if head[0] == 1 else ">IiI"), struct.unpack(">I", head[4:])[0]
    if count > MOST_EDITS:
        raise Rejected(Code.AUDIO_UNDECODABLE, f"the file's edit list has more than {MOST_EDITS} entries")
    body = read(file, box, 8 + row.size * count)[8:]
    rows = [(duration, start) for duration, start, _ in row.iter_unpack(body[: len(body) // row.size * row.size])]
    is_possible = len(rows) == count and all(start >= _EMPTY for _, start in rows)
    return rows if is_possible and any(start != _EMPTY for _, start in rows) else []


def _durations(file: BinaryIO, media: Box) -> NDArray[np.uint64]:
    """Of a track's samples, by its clock: how many have one, and which; a row for each."""
    box = find(file, media, b"minf", b"stbl", b"stts")
    body = read(file, box, _MOST_TABLE_BYTES)[8:] if box else b""
    return np.frombuffer(body[: len(body) // 8 * 8], ">u4").reshape(-1, 2).astype(np.uint64)


def _by_tag(file: BinaryIO, movie: Box, rate_hz: int) -> tuple[Edit, ...]:
    """The one edit that Apple's tag stands for."""
    box = find(file, movie, b"udta", b"meta", b"ilst")
    for tag in boxes(file, box) if box else ():
        text = read(file, tag, _MOST_TAG_BYTES) if tag.name == b"----" else b""
        if b"iTunSMPB" in text and (found := _APPLE.search(text)):
            priming, count = int(found[1], 16), int(found[3], 16)
            if count and rate_hz:
                first_s = Fraction(priming, rate_hz)
                return (Edit(first_s=first_s, end_s=first_s + Fraction(count, rate_hz), at_s=Fraction(0)),)
    return ()


def _timescale(file: BinaryIO, box: Box, name: bytes) -> int:
    """Steps a second, as the header of this name says; 0 where none does."""
    header = find(file, box, name)
    body = read(file, header, 24) if header else b""
    place = 20 if body[:1] == b"\1" else 12
    return int.from_bytes(body[place : place + 4], "big")
