"""A separator that takes no time: its stems are silence, in real files."""

import wave
from pathlib import Path

from consumer.core.cancellation import Cancellation
from consumer.core.catalog import FORMATS, STEM_MODELS
from consumer.core.model import AudioFacts, Job, Separation, StemFile
from consumer.core.ports import OnProgress, Room
from consumer.separator.status import SeparatorStatus

_RATE_HZ = 44_100


class SilentSeparator:
    """See ports.SeparatorProcess. Whatever the source holds, each stem is duration_s of silence, as a WAV file."""

    def __init__(self, *, weights_sha256: str, duration_s: float = 1.0) -> None:
        self._weights_sha256, self._duration_s = weights_sha256, duration_s
        self._status = SeparatorStatus(ready=True, reason="", last_heartbeat=float("inf"))

    @property
    def folder(self) -> None:
        return None

    @property
    def status(self) -> SeparatorStatus:
        return self._status

    def start(self) -> None:
        pass

    def revive(self) -> None:
        pass

    def kill(self) -> None:
        pass

    def prepare(self, cancel: Cancellation) -> None:
        cancel.check()

    def separate(
        self,
        job: Job,
        path: Path,
        *,
        cancel: Cancellation,
        on_progress: OnProgress,
        room: Room | None = None,  # noqa: ARG002 - the port's
    ) -> Separation:
        cancel.check()
        extension = FORMATS[job.format].extension
        names = STEM_MODELS[job.request.model].stems
        stems = tuple(self._silence(name, path.with_name(f"{name}.{extension}")) for name in names)
        on_progress(1, 1)
        audio = AudioFacts(format="wav", duration_s=self._duration_s, channels=2, sample_rate_hz=_RATE_HZ)
        return Separation(audio=audio, stems=stems, weights_sha256=self._weights_sha256)

    def _silence(self, name: str, path: Path) -> StemFile:
        frames = round(self._duration_s * _RATE_HZ)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(_RATE_HZ)
            file.writeframes(bytes(4 * frames))
        return StemFile(name=name, path=path, duration_s=frames / _RATE_HZ, peak=0.0, clipped_samples=0)
