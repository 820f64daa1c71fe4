"""AIFF, AIFF-C and Core Audio files: encodings, sizes, offsets, channel layouts."""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import soundfile

from consumer.core.errors import Code
from harness.corpus.pcm import PACKINGS, Packing, integers
from harness.corpus.riff import UNKNOWN, chunk
from harness.corpus.signal import Signal
from harness.corpus.specimen import Specimen, Truth, exact, written

_SIGNAL = Signal()
# AIFF-C's names -> how samples are packed, and in which order
_AIFC = {
    "NONE": ("s16", ">"), "twos": ("s16", ">"), "sowt": ("s16", "<"), "in24": ("s24", ">"), "in32": ("s32", ">"),
    "fl32": ("f32", ">"), "FL32": ("f32", ">"), "fl64": ("f64", ">"), "FL64": ("f64", ">"), "ulaw": ("ulaw", ">"),
    "ULAW": ("ulaw", ">"), "alaw": ("alaw", ">"), "ALAW": ("alaw", ">"), "raw ": ("u8", ">"), "23ni": ("s32", "<"),
    "42ni": ("s24", "<"),
}  # fmt: skip
_UNKNOWN_64 = (1 << 64) - 1


# name -> what the header says that is not so
Lies = Mapping[str, Mapping[str, Any]]


def extended(value: int) -> bytes:
    """The 80 bits of IEEE 754 in which AIFF has its rate."""
    exponent = value.bit_length() - 1
    return struct.pack(">HQ", 16383 + exponent, value << (63 - exponent)) if value else bytes(10)


def aiff(
    data: bytes, *, bits: int, kind: str | None = None, channels: int = 2, rate: bytes = extended(44100),
    frames: int | None = None, offset: int = 0, data_size: int | None = None, form_size: int | None = None,
    before: bytes = b"", after: bytes = b"", is_data_first: bool = False,
) -> bytes:  # fmt: skip
    """A whole file; AIFF-C where `kind` names a compression. Sizes, and the number of frames, are true if not given."""
    count = len(data) * 8 // max(1, channels * bits) if frames is None else frames
    common = struct.pack(">HIH", channels, count, bits) + rate
    if kind is not None:
        common += kind.encode() + b"\0\0"
    samples = struct.pack(">II", offset, 0) + bytes(offset) + data
    size = len(samples) if data_size is None else data_size
    sound = b"SSND" + struct.pack(">I", size) + samples + bytes(len(samples) % 2)
    parts = [chunk(b"COMM", common, end=">"), before, sound, after]
    if is_data_first:
        parts = [sound, before, parts[0], after]
    body = (b"AIFF" if kind is None else b"AIFC" + chunk(b"FVER", b"\xa2\x80\x51\x40", end=">")) + b"".join(parts)
    return b"FORM" + struct.pack(">I", len(body) if form_size is None else form_size) + body


def caf(
    data: bytes, *, kind: bytes = b"lpcm", flags: int = 0, bits: int = 16, channels: int = 2, rate_hz: float = 44100,
    data_size: int | None = None, before: bytes = b"", after: bytes = b"",
) -> bytes:  # fmt: skip
    """A whole file; flags: 1 for floats, 2 for little ends."""
    step = channels * bits // 8
    desc = struct.pack(">d4sIIIII", rate_hz, kind, flags, step, 1, channels, bits)
    size = len(data) + 4 if data_size is None else data_size
    return (
        b"caff" + struct.pack(">HH", 1, 0) + caf_chunk(b"desc", desc) + before
        + b"data" + struct.pack(">Q", size) + bytes(4) + data + after
    )  # fmt: skip


def caf_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">Q", len(body)) + body


def specimens() -> Iterator[Specimen]:
    yield from _aiff()
    yield from _aiff_oddities()
    yield from _caf()


def _specimen(name: str, make: Callable[[Path], object], holds: Truth | Code | None = None) -> Specimen:
    return Specimen(name=f"apple/{name}", make=make, holds=holds or Truth(), other="libsndfile")


def _aiff() -> Iterator[Specimen]:
    for name in ("s8", "s16", "s24", "s32"):
        yield _specimen(f"{name}.aiff", partial(_packed_aiff, PACKINGS[name], ">", None), _truth(PACKINGS[name]))
    for kind, (name, end) in _AIFC.items():
        packing = PACKINGS[name]
        yield _specimen(f"aifc-{kind.strip()}.aifc", partial(_packed_aiff, packing, end, kind), _truth(packing))
    for bits in (12, 20):  # in the next whole bytes, at their upper end
        yield _specimen(
            f"{bits}-bits.aiff",
            written(partial(_padded_aiff, bits)),
            Truth(precision=exact(bits)),
        )


def _padded_aiff(bits: int) -> bytes:
    data = integers(_SIGNAL.samples(), bits, container=-(-bits // 8) * 8, end=">")
    return aiff(data, bits=bits, frames=_SIGNAL.frames)


def _truth(packing: Packing) -> Truth:
    return Truth(precision=packing[2])


def _packed_aiff(packing: Packing, end: str, kind: str | None, path: Path) -> None:
    pack, bits, _ = packing
    path.write_bytes(aiff(pack(_SIGNAL.samples(), end), bits=bits, kind=kind))


def _aiff_oddities() -> Iterator[Specimen]:
    frames = _SIGNAL.frames
    text = chunk(b"NAME", b"A name", end=">") + chunk(b"ANNO", b"odd", end=">")
    lies: Lies = {
        "size-form-0": {"form_size": 0},
        "size-form-unknown": {"form_size": UNKNOWN},
        "size-data-0": {"data_size": 0},
        "size-data-8": {"data_size": 8},
        "size-data-unknown": {"data_size": UNKNOWN},
        "size-data-too-large": {"data_size": frames * 4 + 5000},
        "size-frames-0": {"frames": 0},
        "size-frames-unknown": {"frames": UNKNOWN},
        "size-frames-too-many": {"frames": frames * 2},
        "size-all-0": {"frames": 0, "data_size": 0, "form_size": 0},
        "size-all-unknown": {"frames": UNKNOWN, "data_size": UNKNOWN, "form_size": UNKNOWN},
        "offset-8": {"offset": 8},
        "offset-510": {"offset": 510},
        "texts": {"before": text, "after": text},
        "data-first": {"is_data_first": True},
        "id3-behind": {"after": chunk(b"ID3 ", b"ID3\3\0\0\0\0\0\x0a" + bytes(10), end=">")},
    }
    for name, options in lies.items():
        yield _specimen(f"{name}.aiff", written(partial(_song, options)))
    odd = replace(_SIGNAL, rate_hz=44056)
    make = written(partial(_song, {"rate": extended(44056)}, signal=odd))
    yield _specimen("rate-44056.aiff", make, Truth(signal=odd))
    lies = {"rate-0": {"rate": bytes(10)}, "no-channels": {"channels": 0}}
    for name, options in lies.items():
        yield _specimen(
            f"impossible-{name}.aiff",
            written(partial(_song, options)),
            Code.AUDIO_UNDECODABLE,
        )
    yield _specimen("no-samples.aiff", written(partial(aiff, b"", bits=16)), Code.AUDIO_EMPTY)
    nothing = {"frames": 0, "data_size": 0, "form_size": 0}
    lies = {"frames-unknown": {"frames": UNKNOWN}, "all-0": nothing}
    for name, options in lies.items():
        yield _specimen(f"size-{name}-ragged.aiff", written(partial(_song, options, behind=b"\1")))
    make = written(partial(aiff, b"", bits=16, after=chunk(b"ANNO", bytes(4000), end=">")))
    yield _specimen("no-samples-but-texts.aiff", make, Code.AUDIO_EMPTY)
    yield _specimen("cut.aiff", _cut, Truth(signal=replace(_SIGNAL, frames=20000)))


def _song(options: Mapping[str, Any], *, signal: Signal = _SIGNAL, behind: bytes = b"") -> bytes:
    return aiff(integers(signal.samples(), 16, end=">"), bits=16, **options) + behind


def _core_audio_song(options: Mapping[str, Any]) -> bytes:
    return caf(integers(_SIGNAL.samples(), 16, end=">"), **options)


def _cut(path: Path) -> None:
    path.write_bytes(aiff(integers(_SIGNAL.samples(), 16, end=">"), bits=16)[: 54 + 80003])


def _caf() -> Iterator[Specimen]:
    for name in ("s8", "s16", "s24", "s32", "f32", "f64"):
        packing = PACKINGS[name]
        for end, ends in ((">", 0), ("<", 2)):
            flags = ends | (1 if name.startswith("f") else 0)
            suffix = "be" if end == ">" else "le"
            yield _specimen(f"{name}-{suffix}.caf", partial(_packed_caf, packing, end, b"lpcm", flags), _truth(packing))
    for name in ("ulaw", "alaw"):
        packing = PACKINGS[name]
        yield _specimen(f"{name}.caf", partial(_packed_caf, packing, ">", name.encode(), 0), _truth(packing))
    info = caf_chunk(b"info", struct.pack(">I", 1) + b"title\0A name\0")
    stereo = caf_chunk(b"chan", struct.pack(">III", 101 << 16 | 2, 0, 0))
    lies: Lies = {
        "size-data-unknown": {"data_size": _UNKNOWN_64},
        "size-data-too-large": {"data_size": _SIGNAL.frames * 4 + 5000},
        "size-data-0": {"data_size": 0},
        "chunks-around": {"before": caf_chunk(b"free", bytes(100)) + stereo + info, "after": info},
        "chunk-of-nobody": {"before": caf_chunk(b"what", bytes(33))},
    }
    for name, options in lies.items():
        yield _specimen(f"{name}.caf", written(partial(_core_audio_song, options)))
    for bits, frames in ((16, 100), (16, 8193), (16, 12287), (24, 22050)):  # ALAC has 4096 to a packet
        holds = Truth(signal=Signal(frames=frames), precision=exact(bits))
        yield _specimen(f"alac-{bits}-of-{frames}.caf", partial(_by_libsndfile, bits, holds.signal), holds)
    yield _specimen("no-samples.caf", written(partial(caf, b"")), Code.AUDIO_EMPTY)
    yield _specimen("impossible-rate-0.caf", written(partial(_core_audio_song, {"rate_hz": 0})), Code.AUDIO_UNDECODABLE)


def _by_libsndfile(bits: int, signal: Signal, path: Path) -> None:
    soundfile.write(path, signal.samples(), signal.rate_hz, format="CAF", subtype=f"ALAC_{bits}")


def _packed_caf(packing: Packing, end: str, kind: bytes, flags: int, path: Path) -> None:
    pack, bits, _ = packing
    path.write_bytes(caf(pack(_SIGNAL.samples(), end), kind=kind, flags=flags, bits=bits))
