"""`python -m bench [SECONDS [ROUNDS]]`: prints the tables, in Markdown: the engine's and delivery's."""

import os
import sys
import tempfile
from pathlib import Path

from bench import delivery
from bench.contenders import WARM_JOBS, encoded_formats, ffmpegs
from bench.material import tools, write_models, write_song
from bench.measure import Run, engine, median, peak_gb, python, run
from bench.peers import SHERPA_MODEL, sherpa
from consumer.core.runtimes import RUNTIMES
from devstack import system

_SEGMENT_S = 524288 / 44100
_COMMAND = str(Path(sys.executable).with_name("spleeter-consumer"))
_COMMANDS = ("`spleeter separate`", "`spleeter-consumer separate`")
_RUNTIMES = {str(runtime): facts.title for runtime, facts in RUNTIMES.items()}


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 180.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    system.provide({"ffprobe": "ffmpeg"})  # Spleeter's own needs it
    with tempfile.TemporaryDirectory() as folder:
        print_table(Path(folder), seconds, rounds)
    _say("")
    delivery.main()


def print_table(work: Path, seconds: float, rounds: int) -> None:
    song = write_song(work / "song.mp3", seconds)
    environment = {
        **os.environ,
        "MODEL_PATH": str(write_models(work / "models")),
        "PATH": f"{tools(work / 'bin')}:{os.environ['PATH']}",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    _say(f"{seconds:.0f} s of mp3 in, wav out; the median of {rounds} rounds, of {WARM_JOBS} jobs each where warm.")
    _say("")
    _say("| stems | | seconds | as many times as this engine on TensorFlow | peak memory, GB |")
    _say("|---|---|---:|---:|---:|")
    for model in ("2stems", "4stems", "5stems"):
        _rows(model, song, work / "out", environment, rounds)
    _light_rows(environment, rounds)


def _light_rows(environment: dict[str, str], rounds: int) -> None:
    """What nobody should have to wait for."""
    light = {"`import consumer`": python("-c", "import consumer"), "`spleeter-consumer --help`": [_COMMAND, "--help"]}
    runs: dict[str, list[Run]] = {name: [] for name in light}
    for _ in range(rounds):
        for name, command in light.items():
            runs[name].append(run(command, environment))
    for name, those in runs.items():
        _say(f"| | {name} | {median(those, 'process'):.2f} | | |")


def _rows(model: str, song: Path, out: Path, environment: dict[str, str], rounds: int) -> None:
    files = ["-p", f"spleeter:{model}", str(song)]
    warm = [model, str(song), str(out)]
    contenders = {
        _COMMANDS[0]: python("-m", "bench.spleeter_command", "separate", *files),
        "`Separator.separate_to_file`, warm": python("-m", "bench.contenders", "reference", *warm),
        **({"sherpa-onnx, warm": sherpa(str(song), str(out))} if model == SHERPA_MODEL else {}),
        _COMMANDS[1]: [_COMMAND, "separate", *files],
        **{f"this engine, {title}, warm": engine(f"engine:{runtime}", *warm) for runtime, title in _RUNTIMES.items()},
    }
    starts = {
        f"process start to ready, {title}": python("-m", "bench.contenders", f"start:{runtime}", *warm)
        for runtime, title in _RUNTIMES.items()
    }
    for command in starts.values():
        run(command, environment)  # converts the checkpoint for native, which is done once and not measured
    runs: dict[str, list[Run]] = {name: [] for name in (*contenders, *starts)}
    for _ in range(rounds):  # they take turns, so that a busy minute of the machine meets all of them
        for name, command in (*contenders.items(), *starts.items()):
            with tempfile.TemporaryDirectory(dir=out.parent) as empty:
                into = ["-o", empty] if name in _COMMANDS else []
                runs[name].append(run([*command, *into], environment))
    ours = runs[f"this engine, {_RUNTIMES['tensorflow']}, warm"]
    job_s = median(ours, "job")
    for name in contenders:
        those = runs[name]
        taken_s = median(those, "job" if "job" in those[0].seconds else "process")
        _say(f"| {model[0]} | {name} | {taken_s:.2f} | {taken_s / job_s:.1f} | {peak_gb(those):.1f} |")
    for encoded in encoded_formats("tensorflow", model):
        taken_s = median(ours, encoded)
        _say(f"| {model[0]} | this engine, TensorFlow, warm, {encoded} out | {taken_s:.2f} | {taken_s / job_s:.1f} | |")
    segments = -(-_seconds_of(song) // _SEGMENT_S)
    for title in _RUNTIMES.values():
        those = runs[f"this engine, {title}, warm"]
        networks_s = median(those, "segment") * segments
        _say(f"| {model[0]} | the bare networks, {title} | {networks_s:.2f} | {networks_s / job_s:.2f} | |")
    least_s = median(ours, "least") * segments
    _say(f"| {model[0]} | their multiplications, as one matrix product | {least_s:.2f} | {least_s / job_s:.2f} | |")
    for name in ffmpegs():
        _say(f"| {model[0]} | a job's fixed cost, {name} | {median(ours, f'fixed, {name}'):.3f} | | |")
    for name in starts:
        _say(f"| {model[0]} | {name} | {median(runs[name], 'start'):.2f} | | {peak_gb(runs[name]):.1f} |")


def _seconds_of(song: Path) -> float:
    return song.stat().st_size * 8 / 192_000


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
