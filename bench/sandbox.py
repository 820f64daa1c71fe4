"""`python -m bench.sandbox [STARTS]`: what the sandbox costs a start of ffmpeg, and so a job; a table in Markdown.

And what a separator's namespaces and its reaper cost, once each time that a separator starts.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from consumer.core.catalog import SOURCE_FORMATS
from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.reaper import REAPER

STARTS = 200
_STARTS_A_JOB = 4  # its headers, its samples, and a stem each
_SEPARATORS = 20
_LEAVES_NAMESPACES = """
import resource, time
from consumer.separator.namespaces import leave_namespaces

def spent_s():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime

began_s = spent_s()
leave_namespaces()
print(spent_s() - began_s)
"""


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
    namespaces_ms, reaper_ms = (
        1000 * statistics.median(cost() for _ in range(_SEPARATORS)) for cost in (_namespaces_s, _reaper_s)
    )
    _say(f"| what namespaces cost a separator's start, tried and left | {namespaces_ms:.2f} |")
    _say(f"| what its reaper costs that | {reaper_ms:.2f} |")


def _run_s(ffmpeg: FFmpeg) -> float:
    """Processor time, which what else the machine does hardly changes."""
    began = _spent_s()
    running = ffmpeg.start(["-version"])
    try:
        running.wait()
    finally:
        running.stop()
    return _spent_s() - began


def _namespaces_s() -> float:
    """In a process of its own, which can't go back."""
    done = subprocess.run(
        [sys.executable, "-c", _LEAVES_NAMESPACES], check=True, capture_output=True, text=True, timeout=60
    )
    return float(done.stdout)


def _reaper_s() -> float:
    """Of one that ends at once, with the process that it ends."""
    began = _spent_s()
    subprocess.run(REAPER, check=False, stdin=subprocess.DEVNULL, process_group=0, timeout=60)
    return _spent_s() - began


def _spent_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
