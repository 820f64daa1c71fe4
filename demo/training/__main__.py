"""`python -m demo.training`: make the songs, train, write demo/weights."""

import os
import time
from pathlib import Path
from typing import Annotated

import tensorflow as tf
import typer
from rich.console import Console

from consumer.separator.models.spec import load_spec
from consumer.separator.runtimes.tensorflow import TensorFlowRuntime
from demo.training.evaluate import engine, evaluate
from demo.training.material import batches, make_songs
from demo.training.network import NAME, STEMS, build, load, save
from demo.training.train import RATE, Plan, train

_FIRST_SEED = 1000
_CHECKS = range(900, 904)  # songs to watch progress with, neither learned from nor reported on
_REPORT_STEPS, _SAVE_STEPS = 50, 500
# Long enough that the innermost convolutions, where a frame stands for 64, meet neighbours on both sides.
_CROPS, _CROP_FRAMES = 2, 192
_REMIXED = 0.35  # of the crops combine stems of several songs


def main(
    songs_folder: Annotated[Path, typer.Option(help="Where the songs' stems are kept between runs.")],
    output: Annotated[Path, typer.Option(help="Where 2stems/ is written.")] = Path("demo/weights"),
    songs: Annotated[int, typer.Option(help="How many songs to learn from; 20 s and 18 MB each.", min=1)] = 160,
    processes: Annotated[int, typer.Option(help="Processes that make songs.", min=1)] = 2,
    steps: Annotated[int, typer.Option(help="Steps of 2 crops of 4.5 s.", min=1)] = 4000,
    rate: Annotated[float, typer.Option(help="The highest learning rate.", min=0.0)] = RATE,
    go_on_from: Annotated[Path | None, typer.Option(help="A folder with the 2stems/ to begin with.")] = None,
    seed: Annotated[int, typer.Option(help="Of the order of the crops and the mixes.")] = 1,
) -> None:
    """Train the 2-stem model of the demo: about an hour on two cores."""
    os.nice(19)  # it is in no hurry
    console = Console()
    started = time.monotonic()
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    paths = make_songs(songs_folder, range(_FIRST_SEED, _FIRST_SEED + songs), processes=processes)
    console.print(f"{songs} songs after {time.monotonic() - started:.0f} s")
    networks = build(_CROP_FRAMES)
    if go_on_from:
        load(networks, go_on_from / NAME)
    folder = output / NAME
    recent: list[tuple[float, float]] = []

    def report(step: int, separation_db: float, magnitudes: float) -> None:
        recent.append((separation_db, magnitudes))
        if step % _REPORT_STEPS == 0:
            means = [sum(column) / len(recent) for column in zip(*recent, strict=True)]
            minutes = (time.monotonic() - started) / 60
            console.print(f"{minutes:5.1f} min, step {step}: error {means[0]:.2f} dB, magnitudes {means[1]:.4f}")
            recent.clear()
        if step % _SAVE_STEPS == 0 or step == steps:
            save(networks, folder, step)
            console.print(f"{'':10}songs not learned from: {_check(output)}", soft_wrap=True)

    material = batches(paths, size=_CROPS, frames=_CROP_FRAMES, remixed=_REMIXED, seed=seed)
    train(networks, material, Plan(steps=steps, rate=rate), report)


def _check(model_path: Path) -> str:
    way = engine(TensorFlowRuntime().load(load_spec(NAME, model_path)))
    results = [result["ours"].improvement_db for result in evaluate(_CHECKS, {"ours": way})]
    means = {stem: sum(result[stem] for result in results) / len(results) for stem in STEMS}
    return ", ".join(f"{stem} improved by {mean:.2f} dB" for stem, mean in means.items())


if __name__ == "__main__":
    typer.run(main)
