"""MP4, QuickTime and Matroska files whose parts lie, are missing, or stand as few writers put them."""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.corpus.ebml import TRACKS, VOID, edited, element, laced
from harness.corpus.encoding import encode
from harness.corpus.movie_boxes import box, changed_boxes
from harness.corpus.signal import Signal
from harness.corpus.specimen import LOSSY, Specimen, Truth

_SIGNAL = Signal()
_AT_48 = Signal(rate_hz=48000, frames=24000)
_PADDED = replace(LOSSY, length_frames=1152)
_UNTIMED = Truth(precision=_PADDED, late_frames=1024)
_ALAC, _AAC = ("-c:a", "alac"), ("-c:a", "aac", "-b:a", "192k")
# file -> ffmpeg's options and what it holds
_MATROSKA: dict[str, tuple[Sequence[str], Truth]] = {
    "flac.mkv": (("-c:a", "flac"), Truth()),
    "pcm.mkv": (("-c:a", "pcm_s16le"), Truth()),
    "opus.webm": (("-c:a", "libopus", "-b:a", "160k"), Truth(signal=_AT_48, precision=LOSSY)),
    "mp3.mka": (("-c:a", "libmp3lame", "-b:a", "192k"), Truth(precision=_PADDED)),
}
_Edit = Callable[[bytes], bytes]


def specimens() -> Iterator[Specimen]:
    for name, (options, truth) in _MATROSKA.items():
        edits: dict[str, _Edit] = {how: partial(laced, how=how) for how in ("xiph", "fixed", "ebml")}
        edits |= {
            "open": lambda movie: edited(movie, lambda *_: None, is_open=True),
            "void": lambda movie: edited(movie, _with_void),
            "tracks-twice": lambda movie: edited(movie, _twice),
        }
        for how, edit in edits.items():
            make = partial(_edited, truth.signal, (*options, "-cluster_time_limit", "100"), edit)
            yield Specimen(name=f"movies/matroska-{how}-{name}", make=make, holds=truth, other="pyav")
    for how, edit in _BOXES.items():
        for name, options, truth in (("alac.m4a", _ALAC, Truth()), ("aac.m4a", _AAC, Truth(precision=LOSSY))):
            make = partial(_edited, _SIGNAL, options, edit)
            yield Specimen(name=f"movies/boxes-{how}-{name}", make=make, holds=truth, other=None)
    edit = _in(b"stts", lambda body: body[:12] + bytes(4) + body[16:])
    make = partial(_edited, _SIGNAL, (*_AAC, "-frame_size", "1024"), edit)
    yield Specimen(name="movies/boxes-no-durations-aac.m4a", make=make, holds=_UNTIMED, other=None)


def _edited(signal: Signal, options: Sequence[str], edit: _Edit, path: Path) -> None:
    encode(path, signal, *options)
    path.write_bytes(edit(path.read_bytes()))


def _with_void(name: bytes, body: bytes) -> bytes:
    return element(name, body) + element(VOID, bytes(50))


def _twice(name: bytes, body: bytes) -> bytes | None:
    return element(name, body) * 2 if name == TRACKS else None


def _in(name: bytes, change: Callable[[bytes], bytes]) -> _Edit:
    """Changes the content of each box of this name."""
    return lambda movie: changed_boxes(movie, lambda inner, body: box(inner, change(body)) if inner == name else None)


def _wide_places(name: bytes, body: bytes) -> bytes | None:
    """Of chunks, in 64 bits."""
    if name != b"stco":
        return None
    places = struct.unpack(f">{(len(body) - 8) // 4}I", body[8:])
    return box(b"co64", body[:8] + struct.pack(f">{len(places)}Q", *places))


_BOXES: dict[str, _Edit] = {
    "wide-places": lambda movie: changed_boxes(movie, _wide_places),
    "no-length": _in(b"mdhd", lambda body: body[:16] + bytes(4) + body[20:]),
    "unknown-length": _in(b"mdhd", lambda body: body[:16] + b"\xff" * 4 + body[20:]),
    "unknown-length-of-all": _in(b"mvhd", lambda body: body[:16] + b"\xff" * 4 + body[20:]),
    "two-descriptions": _in(b"stsd", lambda body: body[:4] + struct.pack(">I", 2) + body[8:] * 2),
    "described-at-rate-0": _in(b"stsd", lambda body: body[:40] + bytes(4) + body[44:]),
    "described-as-mono": _in(b"stsd", lambda body: body[:32] + b"\0\1" + body[34:]),
    "edit-at-rate-0": _in(b"elst", lambda body: body[:16] + bytes(4) + body[20:]),
    "edit-at-rate-2": _in(b"elst", lambda body: body[:16] + b"\0\2\0\0" + body[20:]),
    "edit-at-rate-minus-1": _in(b"elst", lambda body: body[:16] + b"\xff\xff\0\0" + body[20:]),
    "last-to-the-end": lambda movie: (at := movie.rindex(b"moov") - 4, movie[:at] + bytes(4) + movie[at + 4 :])[1],
    "zeros-behind": lambda movie: movie + bytes(1000),
}
