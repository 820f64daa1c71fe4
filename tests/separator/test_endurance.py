"""One separator process for a long time: nothing grows, nothing stays behind, nothing is mixed up."""

import contextlib
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from consumer.core.cancellation import Cancellation
from consumer.core.catalog import FORMATS
from consumer.core.errors import Rejected
from harness.audio import music
from harness.files import decode_file, encode_file
from tests.separator.jobs import Harness, job, make_harness

MANY_JOBS, FEWER_JOBS, WARM_JOBS = 500, 160, 40
LONG_S = 60.0  # segments enough for all stages to be at work at once, which takes the most memory
INPUTS = ("mp3", "flac", "wav", "m4a", "ogg", "opus")
SECONDS = 0.6
RATE_HZ = 8000  # for comparing: well within what every format keeps


def resident_bytes(running: Harness) -> int:
    """Of the process and of what it has started."""
    [pid] = running.pids
    process = psutil.Process(pid)
    total = process.memory_info().rss
    for child in process.children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
            total += child.memory_info().rss
    return total


@pytest.mark.parametrize("jobs", [FEWER_JOBS, pytest.param(MANY_JOBS, marks=pytest.mark.long)])
def test_many_jobs(narrow_models: Path, tmp_path: Path, jobs: int) -> None:
    """Jobs of every format with failures among them: memory drifts by less than 2 %, each job's stems add up to its own
    input and to no other, and no file or process is left over."""
    sources = [
        encode_file(tmp_path / "in" / f"{number}.{kind}", music(seconds=SECONDS, seed=100 + number))
        for number, kind in enumerate(INPUTS)
    ]
    truths = [decode_file(path, rate_hz=RATE_HZ).sum(axis=1) for path in sources]
    broken = tmp_path / "in" / "broken.mp3"
    broken.write_bytes(b"no audio at all" * 1000)
    running = make_harness(narrow_models)
    formats, resident = list(FORMATS), []
    try:
        for number in range(3):
            running.separate(encode_file(tmp_path / "warm" / f"{number}.flac", music(seconds=LONG_S)))
        for number in range(jobs):
            folder = tmp_path / "job"
            folder.mkdir()
            which = number % len(sources)
            track = folder / "track"
            track.write_bytes((broken if number % 11 == 10 else sources[which]).read_bytes())
            if number % 11 == 10:
                with pytest.raises(Rejected, match="ffmpeg does not recognise"):
                    running.separate(track)
            else:
                separation = running.separate(track, format=formats[number % len(formats)], high_frequencies="average")
                parts = [decode_file(stem.path, rate_hz=RATE_HZ).sum(axis=1) for stem in separation.stems]
                length = min(map(len, parts))  # lossy formats pad as they like
                assert best_match(sum(part[:length] for part in parts), truths) == which
                assert {path.name for path in folder.iterdir()} == {"track", *(s.path.name for s in separation.stems)}
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
            if number >= WARM_JOBS:
                resident.append(resident_bytes(running))
        assert psutil.Process(next(iter(running.pids))).children() == []
    finally:
        running.client.kill()
    early, late = np.median(resident[:WARM_JOBS]), np.median(resident[-WARM_JOBS:])
    assert abs(late - early) < 0.02 * early, (early, late)


def best_match(samples: NDArray[np.float32], truths: list[NDArray[np.float32]]) -> int:
    """Which of the truths the samples are most alike, whatever delay the encoder added."""
    spectrum = np.abs(np.fft.rfft(samples, 1 << 14))
    likeness = [
        float(spectrum @ other / np.linalg.norm(spectrum) / np.linalg.norm(other))
        for other in (np.abs(np.fft.rfft(truth, 1 << 14)) for truth in truths)
    ]
    return int(np.argmax(likeness))


@pytest.mark.parametrize("hours", [0.5, pytest.param(3.0, marks=pytest.mark.long)])
def test_hours_take_the_memory_of_three_minutes(narrow_models: Path, tmp_path: Path, hours: float) -> None:
    """A track's peak memory, however long it is, is within 50 MB of a 3-minute one's, and no sample is missing."""
    peaks = []
    for seconds in (180, round(3600 * hours)):
        track = tmp_path / "track.flac"
        encode_file(track, music(seconds=5.0), args=("-af", f"aloop=loop=-1:size=200000,atrim=duration={seconds}"))
        running = make_harness(narrow_models, max_audio_s=4 * 3600)
        peak = 0

        def look(done: int, total: int | None, running: Harness = running) -> None:
            nonlocal peak
            peak = max(peak, resident_bytes(running))

        try:
            running.prepare()
            separation = running.client.separate(job(), track, cancel=Cancellation(), on_progress=look)
        finally:
            running.client.kill()
        assert [stem.duration_s for stem in separation.stems] == [seconds, seconds]
        for stem in separation.stems:
            assert stem.path.stat().st_size == pytest.approx(seconds * 44100 * 4, abs=1000)
            stem.path.unlink()
        peaks.append(peak)
    assert abs(peaks[1] - peaks[0]) < 50e6, peaks
    assert max(peaks) < 2e9
