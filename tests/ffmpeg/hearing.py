"""What an ffmpeg makes of a file, and how that differs from what another one makes of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.decode import Decoder
from consumer.separator.audio.ffmpeg import FFmpeg
from harness.files import Samples

RATE_HZ = 44100
# Two compilers round otherwise, and Speex's filters feed that back: by up to -82 dB.
_SAME_DB = -80.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """samples: float32 (frames, 2). facts: what was found beside them."""

    samples: Samples
    facts: dict[str, object]


def hear(ffmpeg: FFmpeg, path: Path) -> Heard | Code:
    """The first 200 s, or the code that the file is refused with."""
    try:
        with Decoder(ffmpeg, path, rate_hz=RATE_HZ, max_s=600.0) as decoder:
            samples = decoder.read(200 * RATE_HZ)
            found = decoder.probe
            facts: dict[str, object] = {
                "format": found.format, "track": found.track, "channels": found.channels, "rate": found.sample_rate_hz,
                "tags": found.tags.texts, "covers": len(found.tags.covers),
            }  # fmt: skip
            return Heard(samples=samples, facts=facts)
    except Rejected as refusal:
        return refusal.code


def differences(ours: Heard | Code, theirs: Heard | Code) -> set[str]:
    """In what they differ: refused, length, noise, or the name of a fact."""
    if isinstance(ours, Code) or isinstance(theirs, Code):
        return set() if ours == theirs else {"refused"}
    found = {name for name, fact in ours.facts.items() if fact != theirs.facts[name]}
    if len(ours.samples) != len(theirs.samples):
        return found | {"length"}
    apart = float(np.abs(ours.samples - theirs.samples).max(initial=0.0))
    loudest = max(1.0, float(np.abs(theirs.samples).max(initial=0.0)))
    return found | {"noise"} if apart > loudest * 10 ** (_SAME_DB / 20) else found
