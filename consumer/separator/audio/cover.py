"""A file's cover picture: read by its content, tried in the output's format, and left out where either fails."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from consumer.core.catalog import FORMATS
from consumer.separator.audio.encode import Encoding, encodes_silence
from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.audio.tags import Cover, Tags

_MAX_BYTES, _MAX_PIXELS, _MAX_CPU_S = 16 << 20, 1 << 26, 20  # of one picture; a small file may unpack to a huge one
_MAX_TRIED = 3  # of a file's pictures
_LEFT_OUT = "the cover picture is left out: "
_JPEG, _PNG = "mjpeg", "png"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How pictures of a kind begin, and how they are read, by this decoder alone. codec: what they are written as;
    others become PNG.
    is_strict: whether each complaint of the decoder means damage; of sound TIFFs it complains too.
    """

    begins: bytes
    demuxer: str
    decoder: str
    codec: str | None = None
    is_strict: bool = True


# What a file says of its picture's kind is often wrong. The formats hold JPEG and PNG, all of them.
_KINDS = (
    _Kind(begins=b"\xff\xd8\xff", demuxer="jpeg_pipe", decoder="mjpeg", codec=_JPEG),
    _Kind(begins=b"\x89PNG\r\n\x1a\n", demuxer="png_pipe", decoder="png", codec=_PNG),
    _Kind(begins=b"GIF8", demuxer="gif", decoder="gif"),
    _Kind(begins=b"BM", demuxer="bmp_pipe", decoder="bmp"),
    _Kind(begins=b"RIFF", demuxer="webp_pipe", decoder="webp"),
    _Kind(begins=b"II*\0", demuxer="tiff_pipe", decoder="tiff", is_strict=False),
    _Kind(begins=b"MM\0*", demuxer="tiff_pipe", decoder="tiff", is_strict=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverChoice:
    """cover: the picture for the stems, None for none. warnings: why a picture of the file is not on its stems."""

    cover: Cover | None = None
    warnings: tuple[str, ...] = ()


@contextmanager
def cover_of(ffmpeg: FFmpeg, path: Path, tags: Tags, folder: Path, encoding: Encoding) -> Iterator[CoverChoice]:
    """The file's picture as a file within `folder` that is removed when the context is left.

    path: the file that `tags` are of. encoding: the stems', which a picture is tried in. Raises WorkerCrashed.
    """
    if not FORMATS[encoding.format].holds_cover or not (tags.covers or tags.has_unknown_picture):
        yield CoverChoice()
        return
    with tempfile.TemporaryDirectory(prefix=".cover-", dir=folder) as own:
        yield _choose(replace(ffmpeg, cpu_s=_MAX_CPU_S), path, tags, Path(own), encoding)


def _choose(ffmpeg: FFmpeg, path: Path, tags: Tags, own: Path, encoding: Encoding) -> CoverChoice:
    """The first of the file's pictures that can be read and written."""
    reasons = ["ffmpeg does not know its declared kind"] if tags.has_unknown_picture else []
    for stream in tags.covers[:_MAX_TRIED]:
        raw = own / f"{stream.index}.raw"
        if not _copy(ffmpeg, path, stream.index, raw):
            reasons.append("it can't be taken out of the file")
            continue
        cover = _read(ffmpeg, raw)
        if cover is None:
            reasons.append("it can't be read")
        elif not encodes_silence(ffmpeg, own, replace(encoding, cover=cover)):
            reasons.append(f"{encoding.format} can't hold it")
        else:
            return CoverChoice(cover=cover, warnings=tuple(_LEFT_OUT + reason for reason in reasons))
    return CoverChoice(warnings=tuple(_LEFT_OUT + reason for reason in reasons))


def _copy(ffmpeg: FFmpeg, path: Path, index: int, target: Path) -> bool:
    """Whether the picture's bytes are in the target, as they are in the file."""
    args = [*ffmpeg.open_args(path), "-map", f"0:{index}", "-frames:v", "1", "-c", "copy"]
    # The one container that asks nothing of what it is given.
    args += ["-f", "image2pipe", "-fs", str(_MAX_BYTES), "-y", f"file:{target}"]
    return _succeeds(ffmpeg, args) and target.is_file() and 0 < target.stat().st_size < _MAX_BYTES


def _read(ffmpeg: FFmpeg, raw: Path) -> Cover | None:
    """The picture as JPEG or PNG, once it was decoded without an error; None where it can't be."""
    with raw.open("rb") as file:
        begin = file.read(16)
    kind = next((kind for kind in _KINDS if begin.startswith(kind.begins)), None)
    if kind is None:
        return None
    args = ["-xerror", "-err_detect", "explode"] if kind.is_strict else []
    args += ["-max_pixels", str(_MAX_PIXELS), "-protocol_whitelist", "file"]
    args += ["-codec_whitelist", kind.decoder, "-f", kind.demuxer, "-i", f"file:{raw}", "-frames:v", "1"]
    if kind.codec:
        return Cover(path=raw, codec=kind.codec) if _succeeds(ffmpeg, [*args, "-f", "null", "-"]) else None
    png = raw.with_suffix(".png")
    converted = _succeeds(ffmpeg, [*args, "-c:v", "png", "-f", "image2pipe", "-y", f"file:{png}"])
    return Cover(path=png, codec=_PNG) if converted and 0 < png.stat().st_size < _MAX_BYTES else None


def _succeeds(ffmpeg: FFmpeg, args: list[str]) -> bool:
    running = ffmpeg.start(["-loglevel", "error", *args])
    try:
        return running.wait() == 0
    finally:
        running.stop()
