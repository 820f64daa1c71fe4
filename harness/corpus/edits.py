"""MP4 and QuickTime files whose edit lists play parts of what they hold, in any order, with silence between them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from harness.corpus.encoding import encode_samples
from harness.corpus.movie_boxes import with_edits, with_tag
from harness.corpus.signal import Samples, Signal, voice
from harness.corpus.specimen import LOSSY, Precision, Specimen, Truth, exact

# container and codec -> ffmpeg's options, and samples that the encoder puts in front
_CODECS: dict[str, tuple[Sequence[str], int]] = {
    "alac.m4a": (("-c:a", "alac"), 0),
    "pcm.mov": (("-c:a", "pcm_s16le"), 0),
    "flac.mp4": (("-c:a", "flac", "-strict", "-2"), 0),
    "aac.m4a": (("-c:a", "aac", "-b:a", "192k"), 1024),
    "mp3.mp4": (("-c:a", "libmp3lame", "-b:a", "192k"), 1105),
    "opus.mp4": (("-c:a", "libopus", "-b:a", "160k"), 312),
    "ac3.mp4": (("-c:a", "ac3", "-b:a", "384k"), 256),
}
_EVERY_WAY = ("alac.m4a", "aac.m4a", "opus.mp4")
_FEW_WAYS = ("begins-late", "ends-early", "gap")  # of the others
_JOINED = Precision(noise_db=-9.0, gain_db=1.0)  # of a lossy codec, where parts meet that were none


def specimens() -> Iterator[Specimen]:
    for name, (options, delay) in _CODECS.items():
        signal = Signal(rate_hz=48000, frames=48000) if "opus" in name else Signal(frames=44100)
        yield from _of_codec(name, signal, options, delay)
    signal = Signal(frames=44100)
    samples, options = signal.samples(), (*_CODECS["aac.m4a"][0], "-use_editlist", "0")
    tag = f" 00000000 {1024:08X} {0:08X} {len(samples):016X}" + " 00000000" * 8
    yield Specimen(
        name="edits/itunes-tag.m4a",
        make=partial(_tagged, samples, options, tag),
        holds=Truth(signal=signal, precision=LOSSY),
        other=None,
    )


def _of_codec(name: str, signal: Signal, options: Sequence[str], delay: int) -> Iterator[Specimen]:
    samples, rate = signal.samples(), signal.rate_hz
    other, half, tenth = _other(signal), rate // 2, rate // 10
    plain = Truth(signal=signal, precision=LOSSY if delay else exact(16))
    # The encoder of AC-3 leaves away what it was late by.
    joined = replace(plain, precision=replace(_JOINED, length_frames=256 * ("ac3" in name))) if delay else plain
    gap = Truth(signal=signal, precision=joined.precision, silences_s=((0.5, 0.7),))
    first, second = samples[:half], samples[half:]
    for what, media, edits, truth in (
        ("whole", samples, [(1000, 0)], plain),
        ("to-its-end", samples, [(0, 0)], replace(plain, precision=replace(plain.precision, length_frames=1536))),
        ("begins-late", np.vstack((other[:half], samples)), [(1000, half)], joined),
        ("ends-early", np.vstack((samples, other[:half])), [(1000, 0)], joined),
        ("empty-first", samples, [(300, -1), (1000, 0)], plain),
        ("two-that-meet", samples, [(300, 0), (700, 3 * tenth)], plain),
        ("skips", np.vstack((first, other[:tenth], second)), [(500, 0), (500, half + tenth)], joined),
        ("backwards", np.vstack((second, first)), [(500, half), (500, 0)], joined),
        ("gap", np.vstack((first, samples[7 * tenth :])), [(500, 0), (200, -1), (300, half)], gap),
    ):
        if what not in _FEW_WAYS and name not in _EVERY_WAY:
            continue
        moved = [(duration, start + delay if start >= 0 else start) for duration, start in edits]
        make = partial(_edited, media, rate, options, moved)
        yield Specimen(name=f"edits/{what}-{name}", make=make, holds=truth, other=None)


def _other(signal: Signal) -> Samples:
    """What is not to be heard."""
    times_s = 50 + np.arange(signal.frames) / signal.rate_hz
    return np.repeat(0.4 * voice(times_s)[:, None], signal.channels, axis=1)


def _edited(
    samples: Samples, rate_hz: int, options: Sequence[str], edits: Sequence[tuple[int, int]], path: Path
) -> None:
    encode_samples(path, samples, rate_hz, *options, "-movie_timescale", "1000")
    path.write_bytes(with_edits(path.read_bytes(), edits, version=len(edits) % 2))


def _tagged(samples: Samples, options: Sequence[str], tag: str, path: Path) -> None:
    encode_samples(path, samples, 44100, *options)
    path.write_bytes(with_tag(path.read_bytes(), "iTunSMPB", tag))
