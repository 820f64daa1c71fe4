"""`python -m bench.sandbox [STARTS]`: what the sandbox costs a start of ffmpeg, and so a job; a table in Markdown."""

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from consumer.core.catalog import SOURCE_FORMATS
from consumer.separator.audio.ffmpeg import FFmpeg

STARTS = 200
_STARTS_A_JOB = 4  # its headers, its samples, and a stem each


def main() -> None:
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else STARTS
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        song.touch()
        free = FFmpeg(allowed_formats=SOURCE_FORMATS)
        confined = free.confined_to(song, song.parent)
        _run_s(free), _run_s(confined)  # the binary is in memory from now on
        # They take turns, so that a busy moment of the machine meets both.
        pairs = [(_run_s(free), _run_s(confined)) for _ in range(starts)]
    free_ms, confined_ms = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
    cost_ms = confined_ms - free_ms
    _say(f"ffmpeg started and ended, {starts} times each: processor time of both processes, medians.")
    _say("")
    _say("| | ms |")
    _say("|---|---:|")
    _say(f"| without the sandbox | {free_ms:.2f} |")
    _say(f"| within it | {confined_ms:.2f} |")
    _say(f"| what it costs a start | {cost_ms:.2f} |")
    _say(f"| what it costs a job of two stems, {_STARTS_A_JOB} starts | {_STARTS_A_JOB * cost_ms:.2f} |")


def _run_s(ffmpeg: FFmpeg) -> float:
    """Processor time, which what else the machine does hardly changes."""
    began = _spent_s()
    running = ffmpeg.start(["-version"])
    try:
        running.wait()
    finally:
        running.stop()
    return _spent_s() - began


def _spent_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
