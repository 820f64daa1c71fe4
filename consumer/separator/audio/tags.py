"""A file's tags and picture: read from what ffmpeg writes of them, and written to its stems with the stem's name."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from consumer.core.catalog import OutputFormat

_NAMES = ("title", "artist", "album", "album_artist", "track", "date", "genre")
_ALIASES = {"year": "date", "wm/year": "date", "album artist": "album_artist", "albumartist": "album_artist"}
_MAX_CHARS = 10_000  # of one tag; Linux takes four times as many bytes in a word of a command
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_STREAM = b"[STREAM]"
_COVER_DEMUXER = {"mjpeg": "jpeg_pipe", "png": "png_pipe"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverStream:
    """A picture within a file. index: its stream's number. codec: what the file says that it is."""

    index: int
    codec: str
    is_front: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """texts: what there is of title, artist, album, album_artist, track, date and genre; none is empty. covers: the
    file's pictures, front covers first. has_unknown_picture: whether there is one that ffmpeg does not show.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    covers: tuple[CoverStream, ...] = ()
    has_unknown_picture: bool = False

    @property
    def cover(self) -> CoverStream | None:
        """The picture to be preferred."""
        return self.covers[0] if self.covers else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A picture in a file of its own. codec: mjpeg or png."""

    path: Path
    codec: str


def parse_sections(ffmetadata: bytes) -> list[Mapping[str, str]]:
    """What ffmpeg's ffmetadata says of the file, and then of each stream: those of the tags that are looked for, by
    their names in lower case.
    """
    sections: list[dict[str, str]] = [{}]
    for entry in _entries(ffmetadata):
        if entry == _STREAM:
            sections.append({})
            continue
        name, _, value = entry.partition(b"=")  # none of the names that are looked for holds what is escaped
        key = name.decode("latin-1").lower()
        key = _ALIASES.get(key, key)
        if key in _NAMES:
            sections[-1].setdefault(key, _text(_ESCAPED.sub(rb"\1", value)))
    return [*sections]


def _entries(ffmetadata: bytes) -> Iterator[bytes]:
    """Its lines, of which one may hold line ends, each behind a backslash."""
    held: list[bytes] = []
    for line in ffmetadata.split(b"\n"):
        held.append(line)
        if (len(line) - len(line.rstrip(b"\\"))) % 2 == 0:
            yield b"\n".join(held)
            held.clear()


def _text(data: bytes) -> str:
    """A tag's text. Where a file does not say how it is written, ffmpeg hands it on as it is: Windows' Latin, if not
    UTF-8.
    """
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def tags_of(file: Mapping[str, str], track: Mapping[str, str]) -> dict[str, str]:
    """The tags of the file as a whole, and for want of those its audio track's; whole, up to _MAX_CHARS characters."""
    texts = {name: (file.get(name) or track.get(name, "")).strip()[:_MAX_CHARS] for name in _NAMES}
    return {name: text for name, text in texts.items() if text}


def input_args(output: OutputFormat, cover: Cover | None) -> list[str]:
    """ffmpeg's further input, behind the samples, where this format can hold a picture."""
    if cover is None or not output.holds_cover:
        return []
    return ["-protocol_whitelist", "file", "-f", _COVER_DEMUXER[cover.codec], "-i", f"file:{cover.path}"]


def texts_of(tags: Tags, stem: str) -> Mapping[str, str]:
    """What a stem's file is to say: the track's tags, and in its title the stem's name."""
    title = f"{tags.texts['title']} ({stem})" if "title" in tags.texts else stem
    return {**tags.texts, "title": title}


def output_args(output: OutputFormat, tags: Tags, cover: Cover | None, stem: str) -> list[str]:
    """ffmpeg's output options that write the tags, and the picture as it is."""
    args = []
    for name, text in texts_of(tags, stem).items():
        # ffmpeg reads UTF-8, whatever this process's own encoding is.
        args += ["-metadata", os.fsdecode(f"{name}={text}".encode())]
    if cover is not None and output.holds_cover:
        args += ["-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v:0", "attached_pic"]
    return args
