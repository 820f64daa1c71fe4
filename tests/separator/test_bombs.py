"""Small files that keep ffmpeg busy for minutes, or our own look at them: each has its bounded time and its answer."""

import struct
from pathlib import Path

import numpy as np
import pytest

from consumer.core.errors import Code, Rejected
from consumer.separator.audio import probe as probe_module
from consumer.separator.audio.decode import Decoder
from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.audio.links import find_links
from consumer.separator.audio.probe import probe
from consumer.separator.audio.stall import MOST_CPU_S, Stall, cpu_s_of
from consumer.separator.audio.timed_samples import TimedSamples
from consumer.separator.audio.timeline import Timeline
from consumer.separator.audio.tracks import AudioFile
from harness.audio import RATE_HZ
from tests.separator.bombs import BOMBS, KEYS, mp3
from tests.separator.jobs import FFMPEG

IN_FRONT = [name for name in BOMBS if "middle" not in name]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second instead of ten: each of these files would take twenty and more."""
    monkeypatch.setattr(probe_module, "_CPU_S", 1)


@pytest.mark.attack
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", IN_FRONT)
def test_tags_that_take_minutes_are_refused(tmp_path: Path, name: str) -> None:
    """Tens of thousands of keys, in every container that has keys: the file's fault, in a plain sentence."""
    path = BOMBS[name](tmp_path, KEYS)
    assert path.stat().st_size < 6_000_000
    with pytest.raises(Rejected, match="headers and tags take more than 1 s of a processor") as caught:
        probe(FFMPEG, path)
    assert caught.value.code == Code.AUDIO_UNDECODABLE


@pytest.mark.attack
@pytest.mark.usefixtures("impatient")
def test_tags_behind_the_sound_are_not_looked_through(tmp_path: Path) -> None:
    """What a decoder meets in the middle is passed over; the sound in front of it is there."""
    path = BOMBS["mp3, in the middle"](tmp_path, KEYS)
    with Decoder(FFMPEG, AudioFile(path=path), rate_hz=RATE_HZ, max_s=600.0) as decoder:
        assert len(decoder.read(RATE_HZ)) == RATE_HZ


@pytest.mark.parametrize("name", BOMBS)
def test_many_tags_are_no_bomb(tmp_path: Path, name: str) -> None:
    """Five hundred keys, more than any song has, change nothing."""
    assert probe(FFMPEG, BOMBS[name](tmp_path, 500)).layout == "mono"


def test_a_decoder_that_works_and_gives_nothing_is_ended() -> None:
    """Only its own processor time since it gave something counts."""
    used_s = 0.0
    stall = Stall(1, lambda pid: used_s)
    used_s = MOST_CPU_S
    stall.check()
    used_s += 0.1
    with pytest.raises(Rejected, match="gave nothing for 30 s of a processor") as caught:
        stall.check()
    assert caught.value.code == Code.AUDIO_UNDECODABLE
    stall.heard()
    used_s += MOST_CPU_S
    stall.check()


@pytest.mark.attack
def test_a_decoder_that_never_begins_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bound on headers does not see has a bound of its own, while it has given no sample."""
    monkeypatch.setattr("consumer.separator.audio.stall.MOST_CPU_S", 0.5)
    args = [*FFMPEG.open_args(mp3(tmp_path, KEYS)), "-copyts", "-loglevel", "error", "-ac", "2"]
    samples = TimedSamples(FFMPEG, args, timeline=Timeline(rate_hz=RATE_HZ))
    try:
        with pytest.raises(Rejected, match=r"gave nothing for 0\.5 s of a processor"):
            samples.read_into(np.empty((RATE_HZ, 2), np.float32))
    finally:
        samples.stop()


@pytest.mark.parametrize("pipe_bytes", [1 << 12, 1 << 18])
def test_the_shortest_frames_stop_nothing(monkeypatch: pytest.MonkeyPatch, pipe_bytes: int) -> None:
    """ffmpeg keeps samples until they fill a block, whose frames' times may be more than their pipe holds: they are
    taken in while samples are waited for, and all of both arrive.
    """
    monkeypatch.setattr("consumer.separator.audio.timed_samples._TIMES_BYTES", pipe_bytes)
    args = ["-f", "lavfi", "-i", "sine=duration=0.5:sample_rate=44100", "-af", "asetnsamples=n=3:p=0", "-ac", "2"]
    samples = TimedSamples(FFMPEG, [*args, "-map", "0:a", "-loglevel", "error"], timeline=Timeline(rate_hz=RATE_HZ))
    block = np.empty((RATE_HZ, 2), np.float32)
    filled = 0
    try:
        while count := samples.read_into(block[filled:]):
            filled += count
    finally:
        samples.stop()
    assert filled == RATE_HZ // 2
    assert np.abs(block[:filled]).max() > 0.05


def test_processor_time_is_the_processes_own() -> None:
    """It is what the kernel tells of a process at work, and of one that has ended there is none."""
    running = FFMPEG.start(["-f", "lavfi", "-i", "sine=d=1000000", "-f", "null", "-"])
    try:
        before_s = cpu_s_of(running.process.pid)
        while cpu_s_of(running.process.pid) < before_s + 0.05:
            assert running.process.poll() is None
    finally:
        running.stop()
    with pytest.raises(OSError, match="Invalid argument"):
        cpu_s_of(running.process.pid)


@pytest.mark.attack
def test_a_file_of_begins_is_not_summed_up_for_hours(tmp_path: Path) -> None:
    """Each six bytes look like the begin of a stream, whose page has to be summed up to know that it is none."""
    path = tmp_path / "begins.ogg"
    path.write_bytes(b"OggS\0\2" * 2_000_000)
    with pytest.raises(Rejected, match="look like a stream's begin") as caught:
        find_links(path)
    assert caught.value.code == Code.AUDIO_UNDECODABLE


@pytest.mark.attack
def test_a_file_that_is_only_long_goes_on(tmp_path: Path) -> None:
    """Two hours of sound are decoded to the end: what counts is what lies between two frames."""
    path = tmp_path / "long.wav"
    seconds = 7200
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    head = b"RIFF" + struct.pack("<I", 36 + 8000 * seconds) + b"WAVE" + form
    with path.open("wb") as file:
        file.write(head + b"data" + struct.pack("<I", 8000 * seconds))
        file.truncate(44 + 8000 * seconds)
    with Decoder(FFMPEG, path, rate_hz=8000, max_s=1e6) as decoder:
        assert sum(len(decoder.read(8000 * 600)) for _ in range(12)) == 8000 * seconds


def test_ffmpegs_bound_is_never_wider_than_asked_for(tmp_path: Path) -> None:
    """Whoever gives an ffmpeg less time has it for the headers too."""
    hasty = FFmpeg(allowed_formats=FFMPEG.allowed_formats, cpu_s=1)
    with pytest.raises(Rejected, match="take more than 1 s"):
        probe(hasty, mp3(tmp_path, KEYS))
