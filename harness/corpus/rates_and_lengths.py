"""From 8 to 384 kHz, odd rates among them; from a single sample to two minutes."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from harness.corpus.encoding import encode
from harness.corpus.pcm import integers
from harness.corpus.riff import Layout, fmt, riff
from harness.corpus.signal import Signal
from harness.corpus.specimen import LOSSY, Specimen, Truth

_RATES = (
    8000, 8001, 10000, 11024, 11025, 11127, 12000, 16000, 16384, 18900, 20000, 22050, 22255, 24000, 32000, 37800, 40000,
    44055, 44056, 44099, 44100, 44101, 47952, 48000, 48048, 50000, 64000, 88200, 96000, 96001, 176400, 192000, 352800,
    384000,
)  # fmt: skip
_LENGTHS = (1, 2, 3, 15, 16, 17, 1023, 1024, 1025, 4095, 4096, 4097)
_LOSSY_LENGTHS = (1, 2, 100, 575, 576, 1151, 1152, 1153, 2048, 4097)
_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 48000)
_OTHERS = {"mp3": "mpg123", "ogg": "oggdec", "opus": "opusdec", "m4a": "pyav", "flac": "flac"}


def specimens() -> Iterator[Specimen]:
    yield from _rates()
    yield from _lengths()


def _rates() -> Iterator[Specimen]:
    for rate_hz in _RATES:
        signal = Signal(rate_hz=rate_hz, frames=rate_hz // 2)
        yield Specimen(
            name=f"rates/{rate_hz}.wav",
            make=partial(_wav, signal),
            holds=Truth(signal=signal),
            other="libsndfile",
        )
    for rate_hz in (8000, 11024, 44056, 96000, 384000):
        signal = Signal(rate_hz=rate_hz, frames=rate_hz // 2)
        yield Specimen(
            name=f"rates/{rate_hz}.flac",
            make=partial(_encoded, signal, ()),
            holds=Truth(signal=signal),
            other="flac",
        )
    for rate_hz in _MPEG_RATES:
        signal = Signal(rate_hz=rate_hz, frames=rate_hz // 2)
        yield _lossy(f"rates/{rate_hz}.mp3", signal, ("-b:a", "64k"))
    for rate_hz in (8000, 24000, 96000):
        signal = Signal(rate_hz=rate_hz, frames=rate_hz // 2)
        yield _lossy(f"rates/{rate_hz}.m4a", signal, ("-b:a", "192k"))
    for rate_hz in (8000, 11024, 22050, 96000):
        signal = Signal(rate_hz=rate_hz, frames=rate_hz // 2)
        yield _lossy(f"rates/{rate_hz}.ogg", signal, ())
    for rate_hz in (8000, 24000):  # Opus decodes at 48 kHz whatever it was made of
        signal = Signal(rate_hz=rate_hz, frames=rate_hz // 2)
        yield _lossy(f"rates/{rate_hz}.opus", signal, ("-b:a", "96k"))


def _lossy(name: str, signal: Signal, options: Sequence[str]) -> Specimen:
    extension = name.rpartition(".")[2]
    return Specimen(
        name=name,
        make=partial(_encoded, signal, options),
        holds=Truth(signal=signal, precision=LOSSY),
        other=_OTHERS[extension],
    )


def _lengths() -> Iterator[Specimen]:
    for frames in _LENGTHS:
        signal = Signal(frames=frames)
        yield Specimen(
            name=f"lengths/{frames}.wav", make=partial(_wav, signal), holds=Truth(signal=signal), other="libsndfile"
        )
    for rate_hz in (8000, 48000, 96000, 192_000):  # of so few a resampler may give none
        for frames in (1, 7, 100):
            signal = Signal(rate_hz=rate_hz, frames=frames)
            yield Specimen(
                name=f"lengths/{frames}-at-{rate_hz}.wav",
                make=partial(_wav, signal),
                holds=Truth(signal=signal, precision=LOSSY),
                other="libsndfile",
            )
    for frames in (16, 4095, 4096, 4097):
        signal = Signal(frames=frames)
        yield Specimen(
            name=f"lengths/{frames}.flac", make=partial(_encoded, signal, ()), holds=Truth(signal=signal), other="flac"
        )
    for frames in _LOSSY_LENGTHS:
        for extension in ("mp3", "ogg", "m4a"):
            yield _lossy(f"lengths/{frames}.{extension}", Signal(frames=frames), ())
        yield _lossy(f"lengths/{frames}.opus", Signal(frames=frames, rate_hz=48000), ("-b:a", "128k"))
    long = Signal(channels=1, frames=120 * 44100 + 1)
    yield Specimen(
        name="lengths/two-minutes.wav", make=partial(_wav, long), holds=Truth(signal=long), other="libsndfile"
    )
    for seconds, rate_hz in ((120, 11024), (60, 48000)):  # where a clock that drifts would be seen
        signal = Signal(channels=1, frames=seconds * rate_hz, rate_hz=rate_hz)
        yield Specimen(
            name=f"lengths/{seconds}-seconds-{rate_hz}.wav",
            make=partial(_wav, signal),
            holds=Truth(signal=signal),
            other="libsndfile",
        )
    for extension in ("mp3", "opus"):
        signal = Signal(frames=30 * 48000, rate_hz=48000)
        yield _lossy(f"lengths/half-a-minute.{extension}", signal, ("-b:a", "128k"))


def _wav(signal: Signal, path: Path) -> None:
    path.write_bytes(riff(Layout(fmt=fmt(1, signal.channels, signal.rate_hz, 16)), integers(signal.samples(), 16)))


def _encoded(signal: Signal, options: Sequence[str], path: Path) -> None:
    encode(path, signal, *options)
