"""FLAC files whose headers lie: each frame says of itself what it is (RFC 9639, 9.1), so that nothing is lost."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from harness.corpus.encoding import encode
from harness.corpus.signal import Signal
from harness.corpus.specimen import Specimen, Truth

_SIGNAL = Signal()
_INFO_AT, _TITLE = 8, "A title"
# Of the header's fields (RFC 9639, 8.2): the first bit, and how many there are.
_FIELDS = {
    "least-block": (0, 16), "largest-block": (16, 16), "least-frame": (32, 24), "largest-frame": (56, 24),
    "rate": (80, 20), "channels": (100, 3), "bits": (103, 5), "samples": (108, 36), "digest": (144, 128),
}  # fmt: skip
_LIES = {
    "least-block": (0, 1, 15, 4097, 0xFFFF),
    "largest-block": (0, 1, 15, 16, 192, 4095, 0xFFFF),
    "least-frame": (0, 1, 0xFFFFFF),
    "largest-frame": (0, 1, 0xFFFFFF),
    "rate": (0, 1, 8000, 48000, 655350),
    "channels": (0, 2, 7),  # one less than there are
    "bits": (3, 7, 11, 15, 19),
    "samples": (0, 1, _SIGNAL.frames - 1, _SIGNAL.frames + 1, 10 * _SIGNAL.frames),
    "digest": (0, 1),
}


def specimens() -> Iterator[Specimen]:
    yield _one("as-it-is", {})
    for field, values in _LIES.items():
        for value in values:
            yield _one(f"{field}-{value}", {field: value})
    yield _one("blocks-of-8", {"least-block": 8, "largest-block": 8})
    yield _one("no-blocks", {"least-block": 0, "largest-block": 0})
    yield _one("least-block-above-largest", {"least-block": 8192, "largest-block": 4608})
    yield _one("nothing", dict.fromkeys(_FIELDS, 0))


def _one(name: str, lies: dict[str, int]) -> Specimen:
    # Where nothing can be opened by the header ffmpeg reads no tags either.
    is_opened = lies.get("largest-block", 16) >= 16
    return Specimen(
        name=f"flac/header-{name}.flac",
        make=partial(_written, lies),
        holds=Truth(signal=_SIGNAL),
        other="flac",
        title=_TITLE if is_opened else None,
    )


def _written(lies: dict[str, int], path: Path) -> None:
    encode(path, _SIGNAL, "-c:a", "flac", "-frame_size", "4608", "-metadata", f"title={_TITLE}")
    data = bytearray(path.read_bytes())
    info = int.from_bytes(data[_INFO_AT : _INFO_AT + 34], "big")
    for field, value in lies.items():
        first, bits = _FIELDS[field]
        shift = 272 - first - bits
        info = info & ~((1 << bits) - 1 << shift) | value << shift
    data[_INFO_AT : _INFO_AT + 34] = info.to_bytes(34, "big")
    path.write_bytes(data)
