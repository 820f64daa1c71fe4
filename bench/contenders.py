"""What is measured: `python -m bench.contenders NAME MODEL FILE FOLDER`; prints its seconds as JSON.

NAME is `reference`, `engine:RUNTIME`, `files:RUNTIME` or `start:RUNTIME`. The first two are warm: a first job is not
counted, the median of the others is. `files` separates several, their names joined by commas; the first is not counted.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

WARM_JOBS = 3
_SHORT_S = 0.05  # of a song whose job is little but its fixed cost
ENCODED = ("flac", "mp3", "m4a")  # what else than wav stems are written as


def reference(model: str, file: Path, folder: Path) -> dict[str, float]:
    """Spleeter's own Separator, kept between files."""
    from spleeter.separator import Separator

    separator = Separator(f"spleeter:{model}")
    return {"job": warm_into(folder, lambda empty: separator.separate_to_file(str(file), str(empty)))}


def engine(runtime: str, model: str, file: Path, folder: Path) -> dict[str, float]:
    """This engine, kept between files; and its bare networks on as many segments."""
    import numpy as np

    from bench.peak import flop_per_s, segment_flop
    from consumer.core.catalog import SOURCE_FORMATS
    from consumer.separator.audio.ffmpeg import FFmpeg
    from consumer.separator.track import TrackOrder, separate_track

    started = time.monotonic()
    network = _network(runtime, model)
    loaded_s = time.monotonic() - started
    ffmpeg = FFmpeg(allowed_formats=SOURCE_FORMATS)

    def job_s(program: str = ffmpeg.binary, **asked: str | float) -> float:
        def job(empty: Path) -> object:
            order = TrackOrder(path=file, folder=empty, **asked)  # type: ignore[arg-type]
            return separate_track(order, network, replace(ffmpeg, binary=program))

        return warm_into(folder, job)

    whole_s = job_s()
    encoded_s = {name: job_s(format=name) for name in encoded_formats(runtime, model)}
    shortest_s = {f"fixed, {name}": job_s(program, duration_s=_SHORT_S) for name, program in ffmpegs().items()}
    spec = network.spec
    magnitudes = np.abs(np.random.default_rng(0).normal(size=(2, spec.segment_frames, spec.frequency_bins)))
    segment = magnitudes.astype(np.float32)
    segment_s = warm(lambda: network.masks(segment), jobs=15)
    least_s = {"least": segment_flop(spec) / flop_per_s()} if runtime == "tensorflow" else {}
    frames = -(-(spec.frame_length + round(_SHORT_S * spec.sample_rate_hz)) // spec.frame_step)
    few = np.ascontiguousarray(segment[:, :frames])
    few_s = warm(lambda: network.masks(few), jobs=15)
    fixed_s = {name: taken_s - few_s for name, taken_s in shortest_s.items()}
    return {"job": whole_s, **encoded_s, "segment": segment_s, **least_s, **fixed_s, "load": loaded_s}


def ffmpegs() -> dict[str, str]:
    """What a job's fixed cost is measured with, by what the table calls it: most of it are ffmpeg's starts."""
    import imageio_ffmpeg

    from small_ffmpeg.making import made

    return {"imageio-ffmpeg's": imageio_ffmpeg.get_ffmpeg_exe(), "ffmpeg for sound alone": str(made() / "ffmpeg")}


def encoded_formats(runtime: str, model: str) -> tuple[str, ...]:
    """Encoders cost the same whatever computes the networks, so they are measured beside one of them."""
    return ENCODED if (runtime, model) == ("tensorflow", "2stems") else ()


def files(runtime: str, model: str, files: Sequence[Path], folder: Path) -> dict[str, float]:
    """This engine on one file after the other; the mean, from the end of the first to the end of the last."""
    from consumer.core.catalog import SOURCE_FORMATS
    from consumer.separator.audio.ffmpeg import FFmpeg
    from consumer.separator.track import TrackOrder, separate_track

    network, ffmpeg = _network(runtime, model), FFmpeg(allowed_formats=SOURCE_FORMATS)
    folder.mkdir(parents=True, exist_ok=True)
    ends = []
    for file in files:
        separate_track(TrackOrder(path=file, folder=folder), network, ffmpeg)
        ends.append(time.monotonic())
    return {"job": (ends[-1] - ends[0]) / (len(ends) - 1)}


def _network(runtime: str, model: str):  # type: ignore[no-untyped-def]
    from consumer.separator.models.spec import load_spec
    from consumer.separator.runtimes.factory import make_runtime
    from consumer.settings import SeparatorSettings

    return make_runtime(runtime).load(load_spec(model, SeparatorSettings.load().model_path))


def start(runtime: str, model: str) -> dict[str, float]:
    """A separator process, from its start until its model is loaded."""
    from consumer.core.cancellation import Cancellation
    from consumer.pipeline.model_store import ModelStore
    from consumer.separator.client import SeparatorClient
    from consumer.separator.models.conversion_cache import conversion_needed_by
    from consumer.separator.protocol import Configure
    from consumer.settings import SeparatorSettings, environment_without_secrets

    path = SeparatorSettings.load().model_path
    weights = ModelStore(path, [], prepare=conversion_needed_by(runtime))
    weights.ensure(model)
    configuration = Configure(
        model_path=path,
        runtime=runtime,
        allowed_formats=("mp3",),
        models=(model,),
        scratch=Path(tempfile.gettempdir()),
    )

    def get_ready() -> None:
        client = SeparatorClient(configuration, max_audio_s=60.0, environment=environment_without_secrets())
        client.prepare(Cancellation())
        client.kill()

    return {"start": warm(get_ready)}


def warm_into(folder: Path, job: Callable[[Path], object]) -> float:
    """Each into an empty folder, as a replica's: some file systems first write out what replaces another file."""
    folder.mkdir(parents=True, exist_ok=True)

    def once() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as empty:
            return _taken_s(lambda: job(Path(empty)))

    return _warm_median(once, WARM_JOBS)


def warm(job: Callable[[], object], jobs: int = WARM_JOBS) -> float:
    return _warm_median(lambda: _taken_s(job), jobs)


def _warm_median(once: Callable[[], float], jobs: int) -> float:
    """Of what it gives after the first time."""
    return statistics.median([once() for _ in range(jobs + 1)][1:])


def _taken_s(job: Callable[[], object]) -> float:
    started = time.monotonic()
    job()
    return time.monotonic() - started


def main() -> None:
    name, model, file, folder = sys.argv[1:]
    kind, _, runtime = name.partition(":")
    match kind:
        case "reference":
            told = reference(model, Path(file), Path(folder))
        case "engine":
            told = engine(runtime, model, Path(file), Path(folder))
        case "files":
            told = files(runtime, model, [Path(name) for name in file.split(",")], Path(folder))
        case "start":
            told = start(runtime, model)
        case _:
            raise SystemExit(f"no contender {name}")
    sys.stdout.write(f"\n{json.dumps(told)}\n")


if __name__ == "__main__":
    main()
