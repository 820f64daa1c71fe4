"""How well the trained model separates songs that it never saw: ours beside the reference implementation."""

import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from consumer.separator.dsp.engine import separate
from consumer.separator.dsp.network import Network
from consumer.separator.models.spec import load_spec
from demo.songs import Song, make_song
from demo.songs.score import si_sdr
from demo.training.network import NAME, STEMS

HELD_OUT = range(20)  # seeds; training begins at 1000
SONG_S = 30.0

Samples = NDArray[np.float32]
Separate = Callable[[Samples], Mapping[str, Samples]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """improvement_db: by stem, how much nearer to the truth the estimate is than the mix is."""

    title: str
    improvement_db: Mapping[str, float]


def engine(network: Network) -> Separate:
    """Separation as the product does it."""

    def run(mix: Samples) -> Mapping[str, Samples]:
        position = 0

        def read(count: int) -> Samples:
            nonlocal position
            block = mix[position : position + count]
            position += len(block)
            return block

        segments = zip(*separate(network, read), strict=True)
        return {stem: np.concatenate(parts) for stem, parts in zip(network.spec.stems, segments, strict=True)}

    return run


def reference(model_path: Path) -> Separate:
    """Separation by `spleeter.separator.Separator` with the same checkpoint."""
    from spleeter.separator import Separator  # here: it brings tf.estimator, which nothing else needs

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # tf.estimator is deprecated; we know
    folder = (model_path / NAME).resolve()
    config = json.loads((folder / f"{NAME}.json").read_text()) | {"model_dir": str(folder)}
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / f"{NAME}.json"
        path.write_text(json.dumps(config))
        separator = Separator(str(path), multiprocess=False)

    def run(mix: Samples) -> Mapping[str, Samples]:
        stems: Mapping[str, Samples] = separator.separate(mix)
        return stems

    return run


def measure(song: Song, estimates: Mapping[str, Samples]) -> Result:
    truths = {stem: song.truth(stem) for stem in STEMS}
    return Result(
        title=song.title,
        improvement_db={
            stem: si_sdr(estimates[stem], truth) - si_sdr(song.mix, truth) for stem, truth in truths.items()
        },
    )


def evaluate(seeds: Sequence[int], ways: Mapping[str, Separate]) -> Iterator[dict[str, Result]]:
    """The results of one song after the other, by way of separating."""
    for seed in seeds:
        song = make_song(seed, SONG_S)
        yield {name: measure(song, way(song.mix)) for name, way in ways.items()}


def main(
    model_path: Annotated[Path, typer.Option(help="Folder that holds 2stems/.")] = Path("demo/weights"),
    songs: Annotated[int, typer.Option(help="Held-out songs to measure.", min=1)] = len(HELD_OUT),
    least_db: Annotated[float, typer.Option(help="Fail where a stem's mean improvement is below this.")] = 10.0,
) -> None:
    """Measure the SI-SDR improvement of each stem on held-out songs."""
    from consumer.separator.runtimes.tensorflow import TensorFlowRuntime

    ways = {
        "ours": engine(TensorFlowRuntime().load(load_spec(NAME, model_path))),
        "reference": reference(model_path),
    }
    columns = [(way, stem) for stem in STEMS for way in ways]
    table = Table("song", title="SI-SDR improvement in dB")
    for way, stem in columns:
        table.add_column(f"{stem}\n{way}", justify="right", no_wrap=True)
    rows = []
    for results in evaluate(HELD_OUT[:songs], ways):
        rows.append([results[way].improvement_db[stem] for way, stem in columns])
        table.add_row(results["ours"].title, *(f"{value:.3f}" for value in rows[-1]))
    values = np.array(rows)
    table.add_section()
    for name, figures in (("mean", values.mean(axis=0)), ("median", np.median(values, axis=0))):
        table.add_row(name, *(f"{figure:.3f}" for figure in figures))
    console = Console()
    console.print(table)
    apart_db = float(np.abs(values[:, ::2] - values[:, 1::2]).max())
    console.print(f"Ours and the reference differ by at most {apart_db:.5f} dB.")
    if values.mean(axis=0).min() < least_db or apart_db >= 0.01:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
