"""A file's tags and picture: parsed from what ffmpeg prints, and written to its stems with the stem's name added."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from consumer.core.catalog import OutputFormat
from consumer.separator.audio.ffmpeg import FFmpeg

_NAMES = ("title", "artist", "album", "album_artist", "track", "date", "genre")
_MAX_CHARS = 500
_TAG = re.compile(rf"\s+({'|'.join(_NAMES)})\s*: (.*)", re.IGNORECASE)
_CHAPTER, _STREAM = re.compile(r"\s+Chapter #"), re.compile(r"\s+Stream #")
_COVER = re.compile(r"\s+Stream #0:(\d+)\S*: Video: (mjpeg|png)\b.*\(attached pic\)")
_COVER_MUXER = {"mjpeg": "mjpeg", "png": "image2pipe"}
_COVER_DEMUXER = {"mjpeg": "jpeg_pipe", "png": "png_pipe"}
_MAX_COVER_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverStream:
    """A picture within a file. index: its stream's number. codec: mjpeg or png."""

    index: int
    codec: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """texts: what there is of title, artist, album, album_artist, track, date and genre; none is empty. cover: the
    file's picture, None where it has none that can be copied.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    cover: CoverStream | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A picture in a file of its own. codec: mjpeg or png."""

    path: Path
    codec: str


def parse_tags(lines: Sequence[str]) -> Tags:
    """The tags of the file as a whole, or else of its audio stream, from ffmpeg's lines; not those of chapters."""
    texts: dict[str, str] = {}
    cover, is_chapter = None, False
    for line in lines:
        if _CHAPTER.match(line) or _STREAM.match(line):
            is_chapter = bool(_CHAPTER.match(line))
        if (picture := _COVER.match(line)) and cover is None:
            cover = CoverStream(index=int(picture[1]), codec=picture[2])
        if (tag := _TAG.match(line)) and not is_chapter:
            texts.setdefault(tag[1].lower(), tag[2].strip()[:_MAX_CHARS])
    return Tags(texts={name: text for name, text in texts.items() if text}, cover=cover)


@contextmanager
def cover_of(ffmpeg: FFmpeg, path: Path, tags: Tags, folder: Path) -> Iterator[Cover | None]:
    """The file's picture as a file in `folder`, removed when the context is left; None where there is none to be had.

    path: the file that `tags` are of. Raises WorkerCrashed.
    """
    target = folder / ".cover"
    try:
        is_there = tags.cover is not None and _copy_cover(ffmpeg, path, tags.cover, target)
        yield Cover(path=target, codec=tags.cover.codec) if is_there and tags.cover else None
    finally:
        target.unlink(missing_ok=True)


def _copy_cover(ffmpeg: FFmpeg, path: Path, cover: CoverStream, target: Path) -> bool:
    args = [*ffmpeg.open_args(path), "-map", f"0:{cover.index}", "-frames:v", "1", "-c", "copy"]
    args += ["-f", _COVER_MUXER[cover.codec], "-fs", str(_MAX_COVER_BYTES), "-y", f"file:{target}"]
    running = ffmpeg.start(["-loglevel", "error", *args])
    try:
        return running.wait() == 0 and 0 < target.stat().st_size < _MAX_COVER_BYTES
    finally:
        running.stop()


def input_args(output: OutputFormat, cover: Cover | None) -> list[str]:
    """ffmpeg's further input, behind the samples, where this format can hold a picture."""
    if cover is None or not output.holds_cover:
        return []
    return ["-protocol_whitelist", "file", "-f", _COVER_DEMUXER[cover.codec], "-i", f"file:{cover.path}"]


def output_args(output: OutputFormat, tags: Tags, cover: Cover | None, stem: str) -> list[str]:
    """ffmpeg's output options that write the tags, and the picture as it is."""
    title = f"{tags.texts['title']} ({stem})" if "title" in tags.texts else stem
    args = [arg for name, text in {**tags.texts, "title": title}.items() for arg in ("-metadata", f"{name}={text}")]
    if cover is not None and output.holds_cover:
        args += ["-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v:0", "attached_pic"]
    return args
