"""WAVE files whose headers lie, or whose chunks are many, odd, or in another order than most."""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from consumer.core.errors import Code
from harness.corpus.pcm import integers
from harness.corpus.riff import UNKNOWN, Chunk, Layout, chunk, fmt, riff
from harness.corpus.signal import Signal
from harness.corpus.specimen import Specimen, Truth, exact

_SIGNAL = Signal()
_FMT = fmt(1, 2, 44100, 16)
_BYTES = _SIGNAL.frames * 4
_PLAIN = Layout(fmt=_FMT)

# Sizes as streams, editors of their time, and hasty programs leave them. All that is there is the song.
_SIZES: Mapping[str, Layout] = {
    "data-0": replace(_PLAIN, data_size=0),
    "data-unknown": replace(_PLAIN, data_size=UNKNOWN),
    "data-0x7fffffff": replace(_PLAIN, data_size=0x7FFFFFFF),
    "data-0x80000000": replace(_PLAIN, data_size=0x80000000),
    "data-too-large": replace(_PLAIN, data_size=_BYTES + 1000),
    "data-hour": replace(_PLAIN, data_size=3600 * 176400),
    "riff-0": replace(_PLAIN, riff_size=0),
    "riff-unknown": replace(_PLAIN, riff_size=UNKNOWN),
    "riff-too-small": replace(_PLAIN, riff_size=1000),
    "riff-without-head": replace(_PLAIN, riff_size=_BYTES),
    "both-0": replace(_PLAIN, riff_size=0, data_size=0),
    "both-unknown": replace(_PLAIN, riff_size=UNKNOWN, data_size=UNKNOWN),
    "both-sox": replace(_PLAIN, riff_size=0x7FFFF024, data_size=0x7FFFF000),
    "rf64": replace(_PLAIN, magic=b"RF64", ds64=(None, None, _SIGNAL.frames)),
    "bw64": replace(_PLAIN, magic=b"BW64", ds64=(None, None, _SIGNAL.frames)),
    "rf64-no-frames": replace(_PLAIN, magic=b"RF64", ds64=(None, None, 0)),
    "rf64-frames-lie": replace(_PLAIN, magic=b"RF64", ds64=(None, None, 5)),
    "rf64-riff-0": replace(_PLAIN, magic=b"RF64", ds64=(0, None, _SIGNAL.frames)),
    "rf64-data-0": replace(_PLAIN, magic=b"RF64", ds64=(None, 0, 0)),
    "rf64-all-0": replace(_PLAIN, magic=b"RF64", ds64=(0, 0, 0)),
    "rf64-all-ones": replace(_PLAIN, magic=b"RF64", ds64=((1 << 64) - 1, (1 << 64) - 1, 0)),
    "rf64-own-data-size": replace(_PLAIN, magic=b"RF64", data_size=_BYTES, ds64=(None, None, _SIGNAL.frames)),
    "bytes-per-second-0": replace(_PLAIN, fmt=_FMT[:8] + bytes(4) + _FMT[12:]),
    "bytes-per-second-lie": replace(_PLAIN, fmt=_FMT[:8] + struct.pack("<I", 7) + _FMT[12:]),
    "fmt-of-18": replace(_PLAIN, fmt=_FMT + bytes(2)),
    "fmt-of-20": replace(_PLAIN, fmt=_FMT + bytes(4)),
    "fmt-of-40-plain": replace(_PLAIN, fmt=_FMT + bytes(24)),
}

_INFO = b"INFO" + chunk(b"INAM", b"A name\0") + chunk(b"IART", b"Somebody\0")
_BEXT = b"A description".ljust(256, b"\0") + b"Us".ljust(32, b"\0") + bytes(32) + b"2026-11-2912:00:00" + bytes(264)
_ID3 = b"ID3\3\0\0\0\0\0\x17TIT2\0\0\0\x0d\0\0\0A sound name"
_ODD = (b"odd ", b"abc")

# Chunks before and behind the samples.
_CHUNKS: Mapping[str, tuple[list[Chunk], list[Chunk]]] = {
    "junk-first": ([(b"JUNK", bytes(28))], []),
    "junk-of-a-page": ([(b"JUNK", bytes(4096 - 28))], []),
    "bext": ([(b"bext", _BEXT)], []),
    "bext-with-history": ([(b"bext", _BEXT + b"A=PCM,F=44100\r\n" * 500)], []),
    "bext-behind": ([], [(b"bext", _BEXT)]),
    "bext-axml-chna": ([(b"bext", _BEXT), (b"chna", bytes(44))], [(b"axml", b"<ebuCoreMain/>")]),
    "levl-ixml": ([(b"iXML", b"<BWFXML/>")], [(b"levl", bytes(120))]),
    "list-first": ([(b"LIST", _INFO)], []),
    "list-behind": ([], [(b"LIST", _INFO)]),
    "id3-behind": ([], [(b"id3 ", _ID3)]),
    "cue-smpl-behind": ([], [(b"cue ", struct.pack("<I", 0)), (b"smpl", bytes(36))]),
    "odd-chunk-first": ([_ODD], []),
    "odd-chunk-behind": ([], [_ODD]),
    "empty-chunk-first": ([(b"none", b"")], []),
    "sixty-chunks-first": ([(b"note", bytes(10))] * 60, []),
    "two-hundred-chunks-first": ([(b"note", bytes(10))] * 200, []),
    "fact-lies": ([(b"fact", struct.pack("<I", 5))], []),
    "name-in-noise": ([(b"\x80\xff\0\1", b"what is this")], []),
}


def specimens() -> Iterator[Specimen]:
    for name, layout in _SIZES.items():
        yield _specimen(f"size-{name}", partial(_written, layout))
    for name, (before, after) in _CHUNKS.items():
        yield _specimen(f"chunk-{name}", partial(_written, replace(_PLAIN, before=before, after=after)))
        if before:
            large = replace(_PLAIN, magic=b"RF64", ds64=(None, None, _SIGNAL.frames), before=before, after=after)
            if name in ("bext", "junk-first", "two-hundred-chunks-first"):
                yield _specimen(f"chunk-rf64-{name}", partial(_written, large))
    yield _specimen("id3-in-front", partial(_around, b"ID3\3\0\0\0\0\0\x0a" + bytes(10), b""))
    yield _specimen("junk-at-the-end", partial(_around, b"", b"\1\2\3"))
    yield _specimen("id3v1-at-the-end", partial(_around, b"", b"TAG" + bytes(125)))
    for name in ("rf64-data-0", "rf64-all-0", "both-unknown"):  # and half a frame at the end
        yield _specimen(f"size-{name}-ragged", partial(_written_ragged, _SIZES[name]))
    yield _specimen("cut-in-a-frame", _cut, Truth(signal=replace(_SIGNAL, frames=20000), precision=exact(16)))
    yield _specimen("data-ends-in-a-frame", _ragged)
    yield _specimen("samples-before-format", _samples_first)
    yield _specimen("no-format", _no_format, Code.AUDIO_UNDECODABLE)
    yield _specimen("no-data-chunk", _no_data, Code.AUDIO_UNDECODABLE)
    yield _specimen("no-samples", partial(_written_data, _PLAIN, b""), Code.AUDIO_EMPTY)
    yield _specimen("half-a-frame", partial(_written_data, _PLAIN, b"\1\2"), Code.AUDIO_UNDECODABLE)
    for name, body in {
        "no-channels": fmt(1, 0, 44100, 16, frame_bytes=4),
        "rate-0": fmt(1, 2, 0, 16),
        "bits-0": fmt(1, 2, 44100, 0, frame_bytes=4),
        "codec-of-nobody": fmt(0x1234, 2, 44100, 16),
    }.items():
        make = partial(_written_data, Layout(fmt=body), integers(_SIGNAL.samples(), 16))
        yield _specimen(f"impossible-{name}", make, Code.AUDIO_UNDECODABLE)


def _specimen(name: str, make: Callable[[Path], object], holds: Truth | Code | None = None) -> Specimen:
    return Specimen(name=f"wave/{name}.wav", make=make, holds=holds or Truth(), other="libsndfile")


def _written(layout: Layout, path: Path) -> None:
    _written_data(layout, integers(_SIGNAL.samples(), 16), path)


def _written_data(layout: Layout, data: bytes, path: Path) -> None:
    path.write_bytes(riff(layout, data))


def _written_ragged(layout: Layout, path: Path) -> None:
    _written_data(layout, integers(_SIGNAL.samples(), 16) + b"\1\2", path)


def _around(front: bytes, back: bytes, path: Path) -> None:
    path.write_bytes(front + riff(_PLAIN, integers(_SIGNAL.samples(), 16)) + back)


def _cut(path: Path) -> None:
    path.write_bytes(riff(_PLAIN, integers(_SIGNAL.samples(), 16))[: 44 + 20000 * 4 + 3])


def _ragged(path: Path) -> None:
    """The samples' size is no whole number of frames; a chunk follows."""
    layout = replace(_PLAIN, after=[(b"LIST", _INFO)])
    path.write_bytes(riff(layout, integers(_SIGNAL.samples(), 16) + b"\1\2"))


def _samples_first(path: Path) -> None:
    data = chunk(b"data", integers(_SIGNAL.samples(), 16)) + chunk(b"fmt ", _FMT)
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(data)) + b"WAVE" + data)


def _no_format(path: Path) -> None:
    data = chunk(b"data", integers(_SIGNAL.samples(), 16))
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(data)) + b"WAVE" + data)


def _no_data(path: Path) -> None:
    data = chunk(b"fmt ", _FMT) + chunk(b"LIST", _INFO)
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(data)) + b"WAVE" + data)
