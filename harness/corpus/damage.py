"""Files that are cut short, or of which a part was overwritten: what is left keeps its place."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from consumer.core.errors import Code
from harness.corpus.encoding import encode
from harness.corpus.signal import Signal
from harness.corpus.specimen import Precision, Specimen, Truth, written

_SIGNAL = Signal(frames=88200)
_AT_48 = Signal(rate_hz=48000, frames=96000)
_CODECS: dict[str, tuple[str, Sequence[str], str | None]] = {
    "mp3": ("mp3", ("-b:a", "192k"), None),
    "flac": ("flac", (), None),  # flac gives up at the first damaged frame
    "ogg": ("ogg", ("-page_duration", "50000"), None),
    "opus": ("opus", ("-b:a", "160k", "-page_duration", "50000"), "opusdec"),
    "aac": ("aac", ("-c:a", "aac", "-b:a", "192k"), None),
    "m4a": ("m4a", ("-c:a", "aac", "-b:a", "192k"), None),
    "wav": ("wav", (), "libsndfile"),
    "mkv": ("mkv", ("-c:a", "flac", "-cluster_time_limit", "100"), None),
    "wv": ("wv", (), None),
    "tta": ("tta", (), None),
}
# What lies in the damage is not said, so gains are not told; but both ends have to be in their places.
_HURT = Precision(noise_db=20.0, gain_db=6.0, length_frames=2400, start_frames=1200)


def specimens() -> Iterator[Specimen]:
    for name, (extension, options, other) in _CODECS.items():
        signal = _AT_48 if extension == "opus" else _SIGNAL
        for how, harm in {"zeros": _zeroed, "noise": _scrambled}.items():
            yield _one(
                f"{how}-in-{name}.{extension}", signal, options, harm, Truth(signal=signal, precision=_HURT), other
            )
    for name in ("mp3", "flac", "ogg", "opus", "aac", "wav", "mkv"):
        extension, options, other = _CODECS[name]
        signal = _AT_48 if extension == "opus" else _SIGNAL
        half = replace(signal, frames=signal.frames // 2)
        # Half of the bytes is not half of the time where bits are spent as they are needed.
        precision = replace(_HURT, length_frames=21000 if name == "ogg" else 9000, start_frames=10)
        truth = Truth(signal=half, precision=precision, late_frames=1024 if name == "aac" else 0)
        other = "oggdec" if name == "ogg" else other
        yield _one(f"half-of-{name}.{extension}", signal, options, _halved, truth, other)
    for name, content in {
        "nothing.mp3": b"", "nothing.wav": b"", "one-byte.wav": b"R", "text.mp3": b"Dear all, no song today.\n" * 99,
        "zeros.wav": bytes(50_000), "zeros.mp3": bytes(50_000), "riff-alone.wav": b"RIFF\4\0\0\0WAVE",
        "flac-alone.flac": b"fLaC", "ogg-alone.ogg": b"OggS" + bytes(60), "caf-alone.caf": b"caff\0\1\0\0",
        "noise.ogg": np.random.default_rng(1).bytes(50_000), "noise.mp4": np.random.default_rng(2).bytes(50_000),
        "form-alone.aiff": b"FORM\0\0\0\4AIFF", "snd-alone.au": b".snd",
        "id3-alone.mp3": b"ID3\3\0\0\0\0\0\x0a" + bytes(10),
        "ebml-alone.mkv": b"\x1a\x45\xdf\xa3", "ftyp-alone.mp4": b"\0\0\0\x14ftypisom\0\0\2\0isom",
    }.items():  # fmt: skip
        yield Specimen(
            name=f"damage/{name}",
            make=written(partial(bytes, content)),
            holds=Code.AUDIO_UNDECODABLE if content else Code.AUDIO_EMPTY,
            other="libsndfile",
        )


def _one(
    name: str, signal: Signal, options: Sequence[str], harm: Callable[[bytes], bytes], truth: Truth, other: str | None
) -> Specimen:  # fmt: skip
    return Specimen(name=f"damage/{name}", make=partial(_harmed, signal, options, harm), holds=truth, other=other)


def _harmed(signal: Signal, options: Sequence[str], harm: Callable[[bytes], bytes], path: Path) -> None:
    encode(path, signal, *options)
    path.write_bytes(harm(path.read_bytes()))


def _zeroed(data: bytes) -> bytes:
    """A twentieth in the middle, as a bad sector leaves it."""
    start, size = len(data) // 2, len(data) // 20
    return data[:start] + bytes(size) + data[start + size :]


def _scrambled(data: bytes) -> bytes:
    start, size = len(data) // 2, len(data) // 20
    return data[:start] + np.random.default_rng(5).bytes(size) + data[start + size :]


def _halved(data: bytes) -> bytes:
    return data[: len(data) // 2]
