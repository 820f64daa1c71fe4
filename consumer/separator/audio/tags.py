"""A file's tags and picture: parsed from what ffmpeg prints, and written to its stems with the stem's name added."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from consumer.core.catalog import OutputFormat

_NAMES = ("title", "artist", "album", "album_artist", "track", "date", "genre")
_MAX_CHARS = 500
_TAG = re.compile(rf"\s+({'|'.join(_NAMES)})\s*: (.*)", re.IGNORECASE)
_PART = re.compile(r"\s+(Chapter|Stream) #[^:]*:\d+[^:\s]*(?:: (Audio|Video))?")
_COVER = re.compile(r"\s+Stream #0:(\d+)\S*: Video: (\w+)\b.*\(attached pic\)")
_FRONT = re.compile(r"\s+comment\s*: Cover \(front\)")
_UNKNOWN_PICTURE = re.compile(r"unknown (attached )?picture mimetype|unknown cover type", re.IGNORECASE)
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


def parse_tags(lines: Sequence[str]) -> Tags:
    """The tags of the file as a whole, or else of its first audio stream, from ffmpeg's lines; not those of chapters,
    of other streams, or of pictures.
    """
    texts: dict[str, str] = {}
    covers: list[CoverStream] = []
    is_other, has_audio, is_cover = False, False, False
    for line in lines:
        if part := _PART.match(line):
            is_first_audio = part[2] == "Audio" and not has_audio
            has_audio = has_audio or is_first_audio
            is_other, is_cover = not is_first_audio, False
        if picture := _COVER.match(line):
            covers.append(CoverStream(index=int(picture[1]), codec=picture[2]))
            is_cover = True
        elif is_cover and _FRONT.match(line):
            covers[-1] = replace(covers[-1], is_front=True)
        if (tag := _TAG.match(line)) and not is_other:
            texts.setdefault(tag[1].lower(), tag[2].strip()[:_MAX_CHARS])
    return Tags(
        texts={name: text for name, text in texts.items() if text},
        covers=tuple(sorted(covers, key=lambda cover: not cover.is_front)),
        has_unknown_picture=any(_UNKNOWN_PICTURE.search(line) for line in lines if "Stream #" not in line),
    )


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
