"""WAVE files that hold something else than samples, or samples of another size than their header says."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from consumer.core.errors import Code
from harness.corpus.encoding import encode
from harness.corpus.pcm import integers
from harness.corpus.riff import Layout, chunk, fmt, riff
from harness.corpus.signal import Signal
from harness.corpus.specimen import LOSSY, Specimen, Truth, exact

_SIGNAL = Signal()
_AAC = Truth(precision=replace(LOSSY, length_frames=2048), late_frames=1024)


def specimens() -> Iterator[Specimen]:
    for tag in (0x00FF, 0x1600, 0x706D):
        yield _one(f"adts-{tag:x}", partial(_frames, tag, "adts"), _AAC)
    for tag in (0x00FF, 0x1602):
        yield _one(f"loas-{tag:x}", partial(_frames, tag, "latm"), _AAC)
    for codec in ("aac", "libvorbis"):  # which ffmpeg writes, and nobody can read
        yield _one(f"raw-{codec}", partial(_encoded, codec), Code.AUDIO_UNDECODABLE)
    for tag in (1, 0xF1AC):
        yield _one(f"flac-file-{tag:x}", partial(_frames, tag, "flac"), Truth())
    for tag in (1, 0x566F, 0x674F, 0x6771):
        yield _one(f"ogg-file-{tag:x}", partial(_frames, tag, "ogg"), Truth(precision=LOSSY))
    for frame_bytes in (4, 8):
        form = fmt(1, 2, 44100, 24, frame_bytes=frame_bytes)
        make = partial(_plain, form, 24)
        yield _one(f"24-bits-in-frames-of-{frame_bytes}", make, Truth(precision=exact(24)), "libsndfile")
    make = partial(_plain, fmt(1, 2, 44100, 24, frame_bytes=8), 32)
    yield _one("24-bits-in-32", make, Truth(precision=exact(24)), "libsndfile")
    yield _one("two-formats", _two_formats, Code.AUDIO_UNDECODABLE, "libsndfile")


def _one(name: str, make: Callable[[Path], object], holds: Truth | Code, other: str | None = None) -> Specimen:
    return Specimen(name=f"wave/contents-{name}.wav", make=make, holds=holds, other=other)


def _frames(tag: int, container: str, path: Path) -> None:
    """What ffmpeg writes as a file of that container, in place of the samples."""
    codec = {"adts": "aac", "latm": "aac", "flac": "flac", "ogg": "libvorbis"}[container]
    inner = encode(path.with_suffix(".inner"), _SIGNAL, "-c:a", codec, "-f", container)
    form = fmt(tag, 2, 44100, 16, frame_bytes=4, extra=bytes(2))
    path.write_bytes(riff(Layout(fmt=form), inner.read_bytes()))


def _encoded(codec: str, path: Path) -> None:
    encode(path, _SIGNAL, "-c:a", codec)


def _plain(form: bytes, container: int, path: Path) -> None:
    path.write_bytes(riff(Layout(fmt=form), integers(_SIGNAL.samples(), 24, container=container)))


def _two_formats(path: Path) -> None:
    forms = chunk(b"fmt ", fmt(1, 1, 22050, 8)) + chunk(b"fmt ", fmt(1, 2, 44100, 16))
    body = forms + chunk(b"data", integers(_SIGNAL.samples(), 16))
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
