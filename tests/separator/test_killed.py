"""An ffmpeg that is ended by somebody else: nothing that its file did."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from consumer.core.errors import Code, Rejected, WorkerCrashed
from consumer.separator.audio.decode import Decoder
from consumer.separator.audio.encode import Encoder, Encoding
from consumer.separator.audio.ffmpeg import FFmpeg, FFmpegProcess
from consumer.separator.audio.probe import probe
from consumer.separator.process import Process
from consumer.separator.protocol import Separate
from consumer.separator.stop_signals import STOP_SIGNALS
from harness.audio import RATE_HZ, music
from harness.files import encode_file
from tests.separator.jobs import make_harness, pids_with

FFMPEG = FFmpeg(allowed_formats=("wav",))
ENDED = pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """More than fits into ffmpeg's pipe."""
    return encode_file(tmp_path / "song.wav", music(seconds=20))


def catches(running: FFmpegProcess) -> None:
    """Wait until it is ready for signals: it sets its handlers up before it opens anything."""
    deadline = time.monotonic() + 60
    while not int(_status(running.process.pid)["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@ENDED
def test_a_decoder_that_is_killed_blames_nobody(song: Path, number: signal.Signals) -> None:
    """What was decoded until then is not taken for the whole, and the file is not called undecodable."""
    with Decoder(FFMPEG, song, rate_hz=RATE_HZ, max_s=60) as decoder:
        decoder.read(100)
        os.kill(decoder._running.process.pid, number)
        with pytest.raises(WorkerCrashed, match="ffmpeg was ended from outside"):
            decoder.read(30 * RATE_HZ)


@ENDED
def test_an_encoder_that_is_killed_blames_nobody(tmp_path: Path, number: signal.Signals) -> None:
    """Whether it is noticed while samples are written or at the end."""
    target, second = tmp_path / "stem.flac", music(seconds=1)
    with Encoder(FFMPEG, target, Encoding(format="flac", rate_hz=RATE_HZ)) as encoder:
        catches(encoder._running)
        os.kill(encoder._running.process.pid, number)

        def write_all() -> None:
            for _ in range(100):
                encoder.write(second)
            encoder.finish()

        with pytest.raises(WorkerCrashed):
            write_all()


def script(folder: Path, body: str) -> FFmpeg:
    """Something else that is run as ffmpeg."""
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return FFmpeg(binary=str(path), allowed_formats=("wav",), cpu_s=1)


@pytest.mark.parametrize("body", ["kill -9 $$", "kill -15 $$", "exit 255"])
def test_a_probe_that_is_killed_blames_nobody(song: Path, tmp_path: Path, body: str) -> None:
    """A file whose headers could not be read for that is not unknown."""
    with pytest.raises(WorkerCrashed):
        probe(script(tmp_path, body), song)


@pytest.mark.parametrize(
    "body",
    ["kill -SEGV $$", "kill -ABRT $$", "exit 1", "exit 244", "while :; do :; done"],
    ids=["segmentation fault", "abort", "error", "out of its memory", "out of its time"],
)
def test_a_file_that_ends_ffmpeg_is_to_blame(song: Path, tmp_path: Path, body: str) -> None:
    """A crash, and our own limits, are what the file made of it."""
    with pytest.raises(Rejected) as refusal:
        probe(script(tmp_path, body), song)
    assert refusal.value.code == Code.AUDIO_UNDECODABLE


def test_a_job_whose_ffmpeg_is_killed_is_a_crash(narrow_models: Path, tmp_path: Path) -> None:
    """In mid job, as the consumer sees it: not an answer about the file, but the process's end."""
    path = encode_file(tmp_path / "song.wav", music(seconds=60))
    running = make_harness(narrow_models)

    def kill(done: int, total: int | None) -> None:
        for pid in pids_with(str(tmp_path)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    try:
        with pytest.raises(WorkerCrashed, match="exit code 1"):
            running.separate(path, on_progress=kill)
    finally:
        running.client.kill()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", sorted(STOP_SIGNALS), ids=lambda s: s.name)
def test_a_stop_that_reaches_all_of_a_job_ends_nothing(
    narrow_models: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Sent to the separator and to each of its ffmpegs, again and again, as a service manager may: it is done whole."""
    path = encode_file(tmp_path / "song.wav", music(seconds=60))
    running = make_harness(narrow_models)
    signalled: set[int] = set()

    def stop_all(done: int, total: int | None) -> None:
        for pid in pids_with(str(tmp_path)) | running.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                signalled.add(pid)

    try:
        separation = running.separate(path, format="flac", on_progress=stop_all)
    finally:
        running.client.kill()
    assert len(signalled) >= 1 + 1 + len(separation.stems), "the separator, a decoder, an encoder a stem"
    assert [stem.duration_s for stem in separation.stems] == [60.0, 60.0]
    assert running.client.status.restarts == 0


def test_a_separator_whose_ffmpeg_was_killed_ends(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The consumer counts it as one of the record's starts, and finds the reason in its standard error."""
    order = Separate(
        job=1, model="2stems", path=tmp_path, folder=tmp_path, format="wav", bitrate=None, start_s=None,
        duration_s=None, high_frequencies="zeros", max_audio_s=60.0,
    )  # fmt: skip

    def work(*_: object) -> None:
        raise WorkerCrashed("ffmpeg was ended from outside by signal 9")

    ended: list[int] = []

    def end(code: int) -> NoReturn:
        ended.append(code)
        raise SystemExit(code)

    process = Process(sys.stdin.buffer, sys.stdout.buffer, end=end)
    with pytest.raises(SystemExit):
        process._handle(work, order)  # type: ignore[arg-type]
    assert ended == [1]
    assert capsys.readouterr().err == "ffmpeg was ended from outside by signal 9\n"
