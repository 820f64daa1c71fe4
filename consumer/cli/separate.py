"""`separate`: one local file, no Kafka. Flags and output layout are those of `spleeter separate`."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.core.catalog import FORMATS, SOURCE_FORMATS
from consumer.core.errors import Fatal
from consumer.core.limits import LONGEST_SPAN_S, SHORTEST_SPAN_S

if TYPE_CHECKING:
    from consumer.separator.models.spec import ModelSpec
    from consumer.settings import SeparatorSettings


def _everything() -> Path:
    return Path(tempfile.gettempdir(), "separated_audio")


def separate(
    files: Annotated[list[Path], typer.Argument(help="Audio files.", metavar="FILE", exists=True, dir_okay=False)],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            default_factory=_everything,
            show_default="separated_audio, among the system's temporary files",
            help="Folder; stems go to DIR/<name>/<stem>.<codec>.",
        ),
    ],
    model: Annotated[str, typer.Option("-p", help="Model, or a Spleeter configuration file.")] = "spleeter:2stems",
    codec: Annotated[str, typer.Option("-c", help=f"{', '.join(FORMATS)}.")] = "wav",
    bitrate: Annotated[str, typer.Option("-b", help="Of lossy codecs.")] = "128k",
    offset: Annotated[float, typer.Option("-s", min=0.0, max=LONGEST_SPAN_S, help="Seconds to skip.")] = 0.0,
    duration: Annotated[
        float | None,
        typer.Option("-d", min=SHORTEST_SPAN_S, max=LONGEST_SPAN_S, help="Seconds to separate; all by default."),
    ] = None,
    mwf: Annotated[bool, typer.Option("--mwf", help="Spleeter's Wiener filtering, refused: docs/runtimes.md.")] = False,
) -> None:
    """Separate local audio files into stems."""
    from consumer.settings import SeparatorSettings

    if mwf:
        raise typer.BadParameter("needs the whole track in memory, which is not how this works", param_hint="--mwf")
    if codec not in FORMATS:
        raise typer.BadParameter(f"{codec} is not one of {', '.join(FORMATS)}", param_hint="-c")
    if why := FORMATS[codec].why_not_bitrate(bitrate):
        raise typer.BadParameter(f"{why}, not {bitrate}", param_hint="-b")
    settings = SeparatorSettings.load()
    spec = _spec(model, settings)

    from consumer.cli.progress import progress_bar
    from consumer.separator.audio.ffmpeg import FFmpeg, bundled_binary
    from consumer.separator.runtimes.factory import leave_keras_out, make_runtime
    from consumer.separator.track import TrackOrder, separate_track

    leave_keras_out()
    network = make_runtime(settings.separator_runtime).load(spec)
    ffmpeg = FFmpeg(binary=settings.ffmpeg_path or bundled_binary(), allowed_formats=SOURCE_FORMATS)
    for path in files:
        order = TrackOrder(
            path=path.absolute(),
            folder=_made_folder(output / path.stem),
            format=codec,
            bitrate=bitrate,
            start_s=offset or None,
            duration_s=duration,
        )
        with progress_bar(path.name) as report:
            separation = separate_track(order, network, ffmpeg, on_progress=report)
        for warning in separation.warnings:
            typer.echo(f"{path}: {warning}", err=True)
        for stem in separation.stems:
            typer.echo(stem.path)


def _made_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Fatal(f"can't write to {folder}: {error.strerror}") from error
    return folder


def _spec(model: str, settings: "SeparatorSettings") -> "ModelSpec":
    from consumer.adapters.model_sources import model_sources
    from consumer.pipeline.model_store import ModelStore
    from consumer.separator.models.spec import load_spec, read_spec

    if not model.startswith("spleeter:"):
        return read_spec(Path(model))
    name = model.removeprefix("spleeter:")
    ModelStore(settings.model_path, model_sources(settings.model_sources, None)).ensure(name)
    return load_spec(name, settings.model_path)
