"""The second of sound that tells files that a separator fails at from a separator that fails."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumer.core.cancellation import Cancellation
from consumer.core.errors import WorkerCrashed
from consumer.core.model import Job, Separation
from consumer.pipeline.scratch import Scratch
from consumer.pipeline.trial import Trial
from harness.fakes import FakeSeparator, a_job, a_request


class Listening(FakeSeparator):
    """Takes note of what it is told, in order, and of the sound in the file."""

    def __init__(self, *script: Exception | None) -> None:
        super().__init__(*script)
        self.told: list[str] = []
        self.cancels: list[Cancellation] = []
        self.left_s: list[float | None] = []
        self.paths: list[Path] = []
        self.form: tuple[int, int, int] = (0, 0, 0)
        self.sound = np.empty((0, 0))

    def prepare(self, cancel: Cancellation) -> None:
        self._note("prepare", cancel)

    def separate(self, job: Job, path: Path, *, cancel: Cancellation, **rest: Any) -> Separation:
        self._note("separate", cancel)
        self.paths.append(path)
        with wave.open(str(path)) as file:
            self.form = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            self.sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        return super().separate(job, path, cancel=cancel, **rest)

    def _note(self, what: str, cancel: Cancellation) -> None:
        self.told.append(what)
        self.cancels.append(cancel)
        self.left_s.append(cancel.remaining_s())


def test_it_is_a_second_of_a_plain_tone(tmp_path: Path) -> None:
    """Stereo, 16 bits, 44.1 kHz: both sides alike, of one pitch that can be heard, and neither silent nor clipped."""
    separator = Listening()
    Trial(Scratch(tmp_path))(a_job(), separator)
    assert (separator.form, separator.sound.shape) == ((44_100, 2, 2), (44_100, 2))
    left, right = separator.sound.T.astype(float)
    assert np.array_equal(left, right)
    spectrum = np.abs(np.fft.rfft(left)) ** 2  # of one second: a bin for each hertz
    assert np.argmax(spectrum) == 440
    assert spectrum[440] / spectrum.sum() > 0.9999
    assert 1000 < np.abs(left).max() < 32_767


def test_the_separator_is_ready_first_and_has_five_minutes(tmp_path: Path) -> None:
    """For both together: one that died loads its models, and one that hangs is not waited for."""
    separator = Listening()
    Trial(Scratch(tmp_path))(a_job(), separator)
    assert separator.told == ["prepare", "separate"]
    assert separator.cancels[0] is separator.cancels[1]
    assert all(left is not None and 240.0 < left <= 300.0 for left in separator.left_s)


def test_it_is_separated_as_the_job_wanted_its_track(tmp_path: Path) -> None:
    """By its model, into its format, from the tone's beginning to its end, wherever the job's part lies."""
    separator = Listening()
    job = a_job(a_request(start_s=600.0, duration_s=30.0), format="flac")
    Trial(Scratch(tmp_path))(job, separator)
    [tried] = separator.calls
    assert (tried.request.model, tried.format) == (job.request.model, "flac")
    assert (tried.request.start_s, tried.request.duration_s, tried.request.track) == (None, None, None)


def test_it_lies_where_the_separator_reaches_it(tmp_path: Path) -> None:
    separator = Listening()
    separator.folder = tmp_path / "separator-1"
    separator.folder.mkdir()
    Trial(Scratch(tmp_path))(a_job(), separator)
    [path] = separator.paths
    assert separator.folder in path.parents
    assert list(separator.folder.iterdir()) == []


@pytest.mark.parametrize("error", [None, WorkerCrashed("signal 9")])
def test_nothing_of_it_is_left(tmp_path: Path, error: Exception | None) -> None:
    """It lies where replicas clean up, and goes however it ends."""
    separator = Listening(error)
    trial = Trial(Scratch(tmp_path))
    if error:
        with pytest.raises(WorkerCrashed):
            trial(a_job(), separator)
    else:
        trial(a_job(), separator)
    [path] = separator.paths
    assert tmp_path in path.parents
    assert path.suffix == ".wav"
    assert list(tmp_path.rglob("*.wav")) == []
    assert not path.parent.exists()
