"""AU files: every encoding, sizes that are not known, annotations of any length."""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import soundfile

from consumer.core.errors import Code
from harness.corpus.pcm import PACKINGS, integers
from harness.corpus.riff import UNKNOWN
from harness.corpus.signal import Samples, Signal
from harness.corpus.specimen import Precision, Specimen, Truth, written

_SIGNAL = Signal()
_SPEECH = Signal(channels=1, rate_hz=8000, frames=8000)
# encoding -> how it is packed; numbers of the format's own list
_ENCODINGS = {1: "ulaw", 2: "s8", 3: "s16", 4: "s24", 5: "s32", 6: "f32", 7: "f64", 27: "alaw"}
_COARSE = Precision(noise_db=-6.0, gain_db=1.5, length_frames=160)  # G.72x, whose frames are not counted


# name -> what the header says that is not so
Lies = Mapping[str, Mapping[str, Any]]


def au(
    data: bytes, *, encoding: int = 3, size: int | None = None, rate_hz: int = 44100, channels: int = 2,
    annotation: bytes = bytes(4), offset: int | None = None,
) -> bytes:  # fmt: skip
    """A whole file."""
    start = 24 + len(annotation) if offset is None else offset
    claimed = len(data) if size is None else size
    return b".snd" + struct.pack(">IIIII", start, claimed, encoding, rate_hz, channels) + annotation + data


def specimens() -> Iterator[Specimen]:
    for encoding, name in _ENCODINGS.items():
        pack, _, precision = PACKINGS[name]
        yield Specimen(
            name=f"sun/{encoding}-{name}.au",
            make=written(partial(_packed, pack, encoding)),
            holds=Truth(precision=precision),
            other="libsndfile",
        )
    for subtype in ("G721_32", "G723_24", "G723_40"):
        yield Specimen(
            name=f"sun/{subtype.lower()}.au",
            make=partial(_by_libsndfile, subtype, _SPEECH),
            holds=Truth(signal=_SPEECH, precision=_COARSE),
            other="libsndfile",
        )
    yield from _oddities()


def _packed(pack: Callable[[Samples, str], bytes], encoding: int) -> bytes:
    return au(pack(_SIGNAL.samples(), ">"), encoding=encoding)


def _song(options: Mapping[str, Any], *, behind: bytes = b"") -> bytes:
    return au(integers(_SIGNAL.samples(), 16, end=">"), **options) + behind


def _by_libsndfile(subtype: str, signal: Signal, path: Path) -> None:
    soundfile.write(path, signal.samples(), signal.rate_hz, format="AU", subtype=subtype)


def _oddities() -> Iterator[Specimen]:
    lies: Lies = {
        "size-unknown": {"size": UNKNOWN},
        "size-0": {"size": 0},
        "size-too-large": {"size": _SIGNAL.frames * 4 + 3000},
        "no-annotation": {"annotation": b""},
        "long-annotation": {"annotation": b"A song of nobody. " * 500},
        "odd-annotation": {"annotation": b"abc"},
        "tags": {"annotation": b"title=A name\nartist=Somebody\n\0\0\0"},
    }
    for name, options in lies.items():
        yield _specimen(name, written(partial(_song, options)), Truth())
    # More lies behind the samples than the header counts.
    yield _specimen("more-behind", written(partial(_song, {}, behind=bytes(1000))), Truth())
    yield _specimen("size-0-ragged", written(partial(_song, {"size": 0}, behind=b"\1")), Truth())
    cut = Truth(signal=replace(_SIGNAL, frames=20000))
    yield _specimen("cut", _cut, cut)
    yield _specimen("no-samples", written(partial(au, b"")), Code.AUDIO_EMPTY)
    lies = {
        "no-channels": {"channels": 0}, "rate-0": {"rate_hz": 0}, "encoding-0": {"encoding": 0},
        "encoding-99": {"encoding": 99}, "offset-past-end": {"offset": 1 << 30},
    }  # fmt: skip
    for name, options in lies.items():
        yield _specimen(
            f"impossible-{name}",
            written(partial(_song, options)),
            Code.AUDIO_UNDECODABLE,
        )


def _cut(path: Path) -> None:
    path.write_bytes(_song({})[: 28 + 80003])


def _specimen(name: str, make: Callable[[Path], object], holds: Truth | Code) -> Specimen:
    return Specimen(name=f"sun/{name}.au", make=make, holds=holds, other="libsndfile")
