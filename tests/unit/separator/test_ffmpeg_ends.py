"""Whose doing it is when ffmpeg ends with the code that it has for signals."""

import subprocess

import pytest

from consumer.core.errors import WorkerCrashed
from consumer.separator.audio.ffmpeg import FFmpegProcess


def ended(script: str) -> FFmpegProcess:
    """A process that stands for ffmpeg."""
    process = subprocess.Popen(["sh", "-c", script], stderr=subprocess.PIPE, bufsize=0)
    return FFmpegProcess(process, cpu_s=60.0)


def test_a_demuxer_that_fails_with_minus_one_is_the_file_s_fault() -> None:
    """It ends with 255 as at a signal, but says so in the words for -1."""
    running = ended("echo 'Error opening input: Operation not permitted' >&2; exit 255")
    assert running.wait() == 255
    running.stop()


@pytest.mark.parametrize("script", ["exit 255", "echo 'corrupt frame' >&2; exit 255", "kill -KILL $$", "kill -TERM $$"])
def test_what_others_end_is_not_the_file_s_fault(script: str) -> None:
    """Whatever it complained of before."""
    running = ended(script)
    with pytest.raises(WorkerCrashed, match="ended from outside"):
        running.wait()
    running.stop()
