"""WAVE files: sample formats, valid bits, byte orders."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from harness.corpus.pcm import PACKINGS, integers
from harness.corpus.riff import KINDS, Layout, extensible, fmt, riff, w64
from harness.corpus.signal import Samples, Signal
from harness.corpus.specimen import Specimen, Truth, exact, written

_SIGNAL = Signal()
_VALID = ((8, 8), (16, 12), (16, 16), (24, 16), (24, 20), (24, 24), (32, 16), (32, 20), (32, 24), (32, 32))


def write(path: Path, layout: Layout, data: bytes) -> None:
    path.write_bytes(riff(layout, data))


def specimens() -> Iterator[Specimen]:
    yield from _plain()
    yield from _extensible()
    yield from _w64()


def _plain() -> Iterator[Specimen]:
    for name, (pack, bits, precision) in PACKINGS.items():
        if name == "s8":
            continue  # WAVE has none
        for magic, end in ((b"RIFF", "<"), (b"RIFX", ">")):
            layout = Layout(magic=magic, fmt=fmt(KINDS[name], 2, 44100, bits, end=end))
            yield Specimen(
                name=f"wave/{magic.decode().lower()}-{name}.wav",
                make=partial(_packed, layout, pack, end),
                holds=Truth(precision=precision),
                other="libsndfile",
            )
        for fmt_bytes in (18, 40):
            body = extensible if fmt_bytes == 40 else partial(fmt, extra=bytes(2))
            layout = Layout(magic=b"RIFX", fmt=body(KINDS[name], 2, 44100, bits, end=">"))
            yield Specimen(
                name=f"wave/rifx-{name}-fmt-of-{fmt_bytes}.wav",
                make=partial(_packed, layout, pack, ">"),
                holds=Truth(precision=precision),
                other="libsndfile",
            )


def _packed(layout: Layout, pack: Callable[[Samples, str], bytes], end: str, path: Path) -> None:
    write(path, layout, pack(_SIGNAL.samples(), end))


def _extensible() -> Iterator[Specimen]:
    for container, valid in _VALID:
        for magic in (b"RIFF", b"RF64"):
            large = (None, None, _SIGNAL.frames) if magic == b"RF64" else None
            body = extensible(1, 2, 44100, container, valid=valid, mask=3)
            yield Specimen(
                name=f"wave/extensible-{magic.decode().lower()}-{valid}-in-{container}.wav",
                make=partial(_valid_bits, Layout(magic=magic, fmt=body, ds64=large), container, valid),
                holds=Truth(precision=exact(valid)),
                other="libsndfile",
            )
    for bits in (32, 64):
        layout = Layout(fmt=extensible(3, 2, 44100, bits, mask=3))
        yield Specimen(
            name=f"wave/extensible-f{bits}.wav",
            make=partial(_packed, layout, PACKINGS[f"f{bits}"][0], "<"),
            holds=Truth(precision=exact(24)),
            other="libsndfile",
        )
    for name in ("alaw", "ulaw"):
        pack, _, precision = PACKINGS[name]
        yield Specimen(
            name=f"wave/extensible-{name}.wav",
            make=partial(_packed, Layout(fmt=extensible(KINDS[name], 2, 44100, 8, mask=3)), pack, "<"),
            holds=Truth(precision=precision),
            other="libsndfile",
        )
    # No valid bits at all, as some writers leave them.
    layout = Layout(fmt=extensible(1, 2, 44100, 24, valid=0, mask=3))
    yield Specimen(
        name="wave/extensible-0-in-24.wav",
        make=partial(_valid_bits, layout, 24, 24),
        holds=Truth(precision=exact(24)),
        other="libsndfile",
    )


def _valid_bits(layout: Layout, container: int, valid: int, path: Path) -> None:
    samples = _SIGNAL.samples()
    data = unsigned_or_integers(samples, valid, container)
    write(path, layout, data)


def unsigned_or_integers(samples: Samples, valid: int, container: int) -> bytes:
    """As WAVE has them: eight bits are unsigned."""
    return PACKINGS["u8"][0](samples, "<") if container == 8 else integers(samples, valid, container=container)


def _w64() -> Iterator[Specimen]:
    for name, (_, _, precision) in PACKINGS.items():
        if name == "s8":
            continue
        yield Specimen(
            name=f"wave/wave64-{name}.w64",
            make=written(partial(_packed_w64, name)),
            holds=Truth(precision=precision),
            other="libsndfile",
        )
    for name, sizes in {
        "data-0": {"data_size": 0}, "data-24": {"data_size": 24}, "data-huge": {"data_size": 1 << 40},
        "riff-0": {"riff_size": 0}, "riff-huge": {"riff_size": 1 << 40},
        "data-all-ones": {"data_size": (1 << 64) - 1, "riff_size": (1 << 64) - 1},
    }.items():  # fmt: skip
        yield Specimen(
            name=f"wave/wave64-{name}.w64",
            make=written(partial(_sized_w64, sizes)),
            holds=Truth(),
            other="libsndfile",
        )


def _packed_w64(name: str) -> bytes:
    pack, bits, _ = PACKINGS[name]
    return w64(fmt(KINDS[name], 2, 44100, bits), pack(_SIGNAL.samples(), "<"))


def _sized_w64(sizes: Mapping[str, int]) -> bytes:
    return w64(fmt(1, 2, 44100, 16), integers(_SIGNAL.samples(), 16), **sizes)
