"""A second of sound that nobody sent: it tells files that a separator fails at from a separator that fails."""

import array
import math
import tempfile
import wave
from dataclasses import replace
from pathlib import Path

from consumer.core.cancellation import Cancellation
from consumer.core.model import Job
from consumer.core.ports import Separator
from consumer.pipeline.scratch import Scratch

_RATE_HZ, _TONE_HZ, _SECONDS = 44_100, 440.0, 1
_WITHIN_S = 300.0  # a separator that died loads its models first


class Trial:
    """Thread-safe, as long as each thread has its own separator."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    def __call__(self, job: Job, separator: Separator) -> None:
        """Separate a tone as `job` wanted its track: by its model, into its format.

        Raises what the separator raises, Cancelled where it takes too long, and OSError.
        """
        cancel = Cancellation()
        cancel.start_clock(_WITHIN_S)
        whole = replace(job, request=replace(job.request, start_s=None, duration_s=None, track=None))
        with tempfile.TemporaryDirectory(prefix="trial-", dir=separator.folder or self._scratch.folder) as folder:
            path = Path(folder) / "tone.wav"
            _write_tone(path)
            separator.prepare(cancel)
            separator.separate(whole, path, cancel=cancel, on_progress=lambda *_: None)


def _write_tone(path: Path) -> None:
    samples = array.array("h")
    for frame in range(_RATE_HZ * _SECONDS):
        samples.extend([round(10_000 * math.sin(2 * math.pi * _TONE_HZ * frame / _RATE_HZ))] * 2)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(samples.itemsize)
        file.setframerate(_RATE_HZ)
        file.writeframes(samples.tobytes())
