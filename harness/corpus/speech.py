"""Codecs of voices and of small files, in the containers that they come in: ADPCM of every kind, GSM, G.72x, Speex."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import soundfile

from harness.corpus.encoding import encode, encode_samples
from harness.corpus.signal import Signal
from harness.corpus.specimen import Precision, Specimen, Truth

_SIGNAL, _MONO = Signal(), Signal(channels=1)
_NARROW, _WIDE = Signal(channels=1, rate_hz=8000, frames=8000), Signal(channels=1, rate_hz=16000, frames=16000)
_BLOCKS = Precision(noise_db=-15.0, gain_db=1.0, length_frames=4100)  # the last one is not cut
# Made for voices: nothing of a tone is certain but that it is there.
_COARSE = Precision(noise_db=6.0, gain_db=6.0, length_frames=800, start_frames=500)


def specimens() -> Iterator[Specimen]:
    for codec, other in (
        ("adpcm_ms", "libsndfile"), ("adpcm_ima_wav", "libsndfile"), ("adpcm_yamaha", "pyav"), ("adpcm_swf", "pyav"),
    ):  # fmt: skip
        yield _one(f"{codec}.wav", ("-c:a", codec), Truth(precision=_BLOCKS), other)
        yield _one(f"{codec}-mono.wav", ("-c:a", codec), Truth(signal=_MONO, precision=_BLOCKS), other)
    for name, codec, other in (
        ("adpcm_ms.w64", "adpcm_ms", "libsndfile"), ("adpcm_ima_qt.aifc", "adpcm_ima_qt", "libsndfile"),
        ("adpcm_ima_qt.mov", "adpcm_ima_qt", "pyav"), ("adpcm_ima_qt.caf", "adpcm_ima_qt", "pyav"),
        ("adpcm_ms.mkv", "adpcm_ms", "pyav"), ("adpcm_ms.avi", "adpcm_ms", "pyav"),
        ("adpcm_ima_wav.avi", "adpcm_ima_wav", "pyav"), ("adpcm_swf.flv", "adpcm_swf", "pyav"),
    ):  # fmt: skip
        yield _one(name, ("-c:a", codec), Truth(precision=_BLOCKS), other)
    narrow = Truth(signal=_NARROW, precision=_COARSE)
    yield _one("g722.wav", ("-c:a", "g722"), Truth(signal=_WIDE, precision=_COARSE), "pyav")
    yield _one("g726.wav", ("-c:a", "g726", "-b:a", "32k"), narrow, "pyav")
    yield _one("g723_1.wav", ("-c:a", "g723_1", "-b:a", "6.3k"), narrow, "pyav")
    yield _one("amr.3gp", ("-c:a", "libopencore_amrnb", "-b:a", "12.2k"), narrow, "pyav")
    for subtype in ("GSM610", "G721_32", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32"):
        make = partial(_by_libsndfile, subtype)
        yield Specimen(name=f"speech/{subtype.lower()}.wav", make=make, holds=narrow, other="libsndfile")
    for name, signal, options in (
        ("narrow", _NARROW, ("--narrowband",)), ("wide", _WIDE, ("--wideband",)),
        ("stereo", Signal(rate_hz=16000, frames=16000), ("--wideband", "--stereo")),
        ("on-one-page", Signal(channels=1, rate_hz=16000, frames=8000), ("--wideband",)),
        ("packets-of-4", _WIDE, ("--wideband", "--vbr", "--nframes", "4")),
        ("ultra-wide", Signal(channels=1, rate_hz=32000, frames=32000), ("--ultra-wideband",)),
    ):  # fmt: skip
        truth = Truth(signal=signal, precision=replace(_COARSE, length_frames=0, start_frames=8))
        if signal.channels == 2:  # of which it tells but how loud each side is
            truth = replace(truth, mix=((1.0, 1.0), (1.0, 1.0)), is_mix_exact=False)
        make = partial(_by_speexenc, signal, options)
        yield Specimen(name=f"speech/speex-{name}.spx", make=make, holds=truth, other="speexdec")
    make = partial(_joined_amr, _NARROW)
    yield Specimen(name="speech/joined.amr", make=make, holds=narrow, other=None)


def _one(name: str, options: Sequence[str], truth: Truth, other: str) -> Specimen:
    make: Callable[[Path], object] = lambda path: encode(path, truth.signal, *options)  # noqa: E731
    return Specimen(name=f"speech/{name}", make=make, holds=truth, other=other)


def _by_libsndfile(subtype: str, path: Path) -> None:
    soundfile.write(path, _NARROW.samples(), _NARROW.rate_hz, format="WAV", subtype=subtype)


def _by_speexenc(signal: Signal, options: Sequence[str], path: Path) -> None:
    source = path.with_suffix(".source.wav")
    soundfile.write(source, signal.samples(), signal.rate_hz)
    command = ("speexenc", "--quality", "10", *options, str(source), str(path))
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def _joined_amr(signal: Signal, path: Path) -> None:
    """Each half of the signal is a file of its own, magic number and all."""
    half, content = signal.frames // 2, b""
    for part in (signal.samples()[:half], signal.samples()[half:]):
        content += encode_samples(path, part, signal.rate_hz, "-b:a", "12.2k").read_bytes()
    path.write_bytes(content)
