"""`python -m bench.ffmpeg [ROUNDS]`: the ffmpeg for sound alone beside imageio-ffmpeg's; a table in Markdown."""

import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg

from bench.fixed_cost import fixed_costs_ms
from bench.material import write_song
from consumer.core.catalog import FORMATS
from small_ffmpeg.making import made

_SECONDS, _ROUNDS, _STARTS, _JOBS = 180.0, 5, 100, 30
_LIMIT_S = 600
_QUIET = ("-hide_banner", "-nostdin", "-loglevel", "error", "-y")


def main() -> None:
    """The command that the module's text describes."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS
    programs = {"small": str(made() / "ffmpeg"), "full": imageio_ffmpeg.get_ffmpeg_exe()}
    with tempfile.TemporaryDirectory() as folder:
        rows = _rows(programs, Path(folder), rounds)
    _say(f"Processor time, medians; {_SECONDS:.0f} s of sound; of a short job the time that it takes.\n")
    _say("| | for sound alone | imageio-ffmpeg's | ratio |\n|---|---:|---:|---:|")
    for name, (small, full) in rows.items():
        _say(f"| {name} | {small:.2f} | {full:.2f} | {full / small:.1f} |")


def _rows(programs: dict[str, str], folder: Path, rounds: int) -> dict[str, tuple[float, float]]:
    small, full = programs.values()
    song, wav = write_song(folder / "song.mp3", _SECONDS), folder / "song.wav"
    rows = {"size, MB": (Path(small).stat().st_size / 1e6, Path(full).stat().st_size / 1e6)}
    start_s = _both(["-version"], programs, _STARTS)
    rows["a start, ms"] = (1000 * start_s[0], 1000 * start_s[1])
    rows["decode mp3, s"] = _both([*_QUIET, "-i", str(song), "-f", "f32le", "/dev/null"], programs, rounds)
    subprocess.run([full, *_QUIET, "-i", str(song), "-c:a", "pcm_f32le", str(wav)], check=True, timeout=_LIMIT_S)
    for name, row in FORMATS.items():
        if row.codec != "copy":
            target = str(folder / f"out.{row.extension}")
            encode = [*_QUIET, "-i", str(wav), *row.encoder_args(None), target]
            rows[f"encode {name}, s"] = _both(encode, programs, rounds)
    for name in ("wav", "mp3"):
        costs_ms = fixed_costs_ms(programs, name, _JOBS)
        rows[f"a job of 0.2 s into two {name}, ms"] = (costs_ms["small"], costs_ms["full"])
    return rows


def _both(args: Sequence[str], programs: dict[str, str], rounds: int) -> tuple[float, float]:
    # They take turns, so that a busy moment of the machine meets both.
    pairs = [tuple(_spent_s([program, *args]) for program in programs.values()) for _ in range(rounds)]
    small_s, full_s = (statistics.median(times) for times in zip(*pairs, strict=True))
    return small_s, full_s


def _spent_s(command: Sequence[str]) -> float:
    """Processor time, which what else the machine does hardly changes."""
    began = _children_s()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=_LIMIT_S)
    return _children_s() - began


def _children_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
