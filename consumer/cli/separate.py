"""`separate`: local files, no Kafka. Flags and output layout are those of `spleeter separate`."""

import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.errors import tell
from consumer.cli.separator_loading import is_named, load, nothing_collected, specification
from consumer.cli.stem_paths import (
    StemPaths,
    Unnameable,
    check_targets,
    check_template,
    plan,
    shown,
)
from consumer.core.catalog import FORMATS, why_not_format
from consumer.core.errors import ConsumerError, Fatal
from consumer.core.file_names import DEFAULT_TEMPLATE
from consumer.core.limits import HIGHEST_TRACK, LONGEST_SPAN_S, SHORTEST_SPAN_S

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from consumer.core.model import Separation
    from consumer.core.ports import OnProgress
    from consumer.separator.audio.ffmpeg import FFmpeg
    from consumer.separator.dsp.network import Network
    from consumer.separator.track import TrackOrder

_ADAPTER = "spleeter.audio.ffmpeg.FFMPEGProcessAudioAdapter"
_BARE_KILOBITS = re.compile(r"([1-9]\d{0,2})K?", re.ASCII)


def _everything() -> Path:
    return Path(tempfile.gettempdir(), "separated_audio")


def _refused(flag: str, reason: str, *, but_for: str | None = None) -> Callable[[object], object]:
    """What refuses a flag in one line, before anything else is looked at; `but_for` is a value that is taken."""

    def refuse(value: object) -> object:
        if value and value != but_for:
            typer.echo(f"spleeter-consumer: {flag} {reason}", err=True)
            raise typer.Exit(2)
        return value

    return refuse


_NO_INPUTS = _refused("-i", "is not supported, as by Spleeter: give the files without it")
_NO_ADAPTER = _refused("-a", "is not supported: ffmpeg reads and writes all audio here", but_for=_ADAPTER)
_NO_BACKEND = _refused("-B", "is not supported, as by Spleeter 2.4.2: SEPARATOR_RUNTIME says what computes")
_NO_MWF = _refused("--mwf", "is not supported: it needs the whole track in memory, which is not how this works")


def separate(
    files: Annotated[list[Path], typer.Argument(help="Audio files.", metavar="FILE", exists=True, dir_okay=False)],
    output: Annotated[
        Path,
        typer.Option(
            "--output_path",
            "-o",
            default_factory=_everything,
            show_default="separated_audio, among the system's temporary files",
            help="Folder; stems go to DIR/<name>/<stem>.<codec>.",
        ),
    ],
    model: Annotated[
        str, typer.Option("--params_filename", "-p", help="Model, or a Spleeter configuration file.")
    ] = "spleeter:2stems",
    codec: Annotated[str, typer.Option("--codec", "-c", help=f"{', '.join(FORMATS)}.")] = "wav",
    bitrate: Annotated[str, typer.Option("--bitrate", "-b", help="Of lossy codecs: 192k, 192 or 192000.")] = "128k",
    offset: Annotated[
        float, typer.Option("--offset", "-s", min=0.0, max=LONGEST_SPAN_S, help="Seconds to skip.")
    ] = 0.0,
    duration: Annotated[
        float | None,
        typer.Option(
            "--duration", "-d", min=SHORTEST_SPAN_S, max=LONGEST_SPAN_S, help="Seconds to separate; all by default."
        ),
    ] = None,
    template: Annotated[
        str,
        typer.Option("--filename_format", "-f", help="Of {filename}, {instrument}, {foldername} and {codec}."),
    ] = DEFAULT_TEMPLATE,
    track: Annotated[
        int | None,
        typer.Option("--track", min=0, max=HIGHEST_TRACK, help="Audio track, from 0; ffmpeg's own choice by default."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Tell of each file what it is, how long it took and what computed it.")
    ] = (False),
    _inputs: Annotated[
        str | None, typer.Option("--inputs", "-i", is_eager=True, callback=_NO_INPUTS, help="Refused, as by Spleeter.")
    ] = None,
    _adapter: Annotated[
        str, typer.Option("--adapter", "-a", is_eager=True, callback=_NO_ADAPTER, help="Spleeter's default only.")
    ] = _ADAPTER,
    _backend: Annotated[
        str | None,
        typer.Option("--stft-backend", "-B", is_eager=True, callback=_NO_BACKEND, help="Refused: docs/separate.md."),
    ] = None,
    _mwf: Annotated[
        bool, typer.Option("--mwf", is_eager=True, callback=_NO_MWF, help="Spleeter's Wiener filtering, refused.")
    ] = False,
) -> None:
    """Separate local audio files into stems."""
    bitrate = _check_options(codec, bitrate, template)
    with nothing_collected():
        from consumer.separator.blas import use_one_thread

        use_one_thread()
        from consumer.separator.runtimes.choice import choose_runtime
        from consumer.settings import SeparatorSettings

        settings = SeparatorSettings.load()
        spec = specification(model, settings)
        try:
            tracks = plan(files, output, template, FORMATS[codec].extension, spec.stems)
        except Unnameable as error:
            raise typer.BadParameter(str(error), param_hint="-f") from error
        check_targets(tracks, reads=[*files, *([] if is_named(model) else [Path(model)])])
        chosen = choose_runtime(settings.separator_runtime, [spec])
        network, ffmpeg = load(spec, settings, chosen)
        from consumer.separator.track import TrackOrder

    order = TrackOrder(
        path=Path(),
        folder=Path(),
        format=codec,
        bitrate=bitrate,
        start_s=offset or None,
        duration_s=duration,
        track=track,
    )
    with _reaped(ffmpeg) as ffmpeg:
        is_well = _separate_all(tracks, order, network, ffmpeg, about=f" by {chosen}" if verbose else None)
    if not is_well:
        raise typer.Exit(1)


def _check_options(codec: str, bitrate: str, template: str) -> str:
    """The bitrate, as ffmpeg takes it. Raises typer.BadParameter."""
    if why := why_not_format(codec):
        raise typer.BadParameter(f"{why}, not {codec}", param_hint="-c")
    if bare := _BARE_KILOBITS.fullmatch(bitrate):
        bitrate = f"{bare[1]}k"
    if why := FORMATS[codec].why_not_bitrate(bitrate):
        raise typer.BadParameter(f"{why}, not {bitrate}", param_hint="-b")
    try:
        check_template(template, FORMATS[codec].extension)
    except Unnameable as error:
        raise typer.BadParameter(str(error), param_hint="-f") from error
    return bitrate


@contextmanager
def _reaped(ffmpeg: "FFmpeg") -> Iterator["FFmpeg"]:
    """The same, but nothing that it starts within this block outlives that, or this process."""
    from consumer.separator.reaper import ReapedGroup

    try:
        group = ReapedGroup()
    except OSError as error:
        raise Fatal(f"no process can be started ({error.strerror})") from error
    with closing(group):
        yield replace(ffmpeg, group=group.number)


def _separate_all(
    tracks: Sequence[StemPaths], order: "TrackOrder", network: "Network", ffmpeg: "FFmpeg", *, about: str | None
) -> bool:
    """Whether all went well. What goes wrong with a file is told, and the next one is done.

    about: what is told of each file behind what it is and how long it took; None: none of that is told.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)  # in an orderly way: nothing half-done is left
    is_well = True
    for track in tracks:
        try:
            separation = _separate_one(track, order, network, ffmpeg)
        except (ConsumerError, OSError) as error:
            tell(error, about=shown(track.path))
            is_well = False
            continue
        for warning in separation.warnings:
            typer.echo(f"{shown(track.path)}: {warning}", err=True)
        for target in track.targets.values():
            typer.echo(os.fsencode(target))  # a file's name need not be text
        if about is not None:
            typer.echo(f"{shown(track.path)}: {_told(separation)}{about}", err=True)
    return is_well


def _separate_one(track: StemPaths, order: "TrackOrder", network: "Network", ffmpeg: "FFmpeg") -> "Separation":
    from consumer.separator.track import separate_track
    from consumer.separator.workplace import give_names, workplace

    with workplace(list(track.targets.values())) as folder, _progress(shown(track.path.name)) as report:
        order = replace(order, path=track.path.absolute(), folder=folder)
        separation = separate_track(order, network, ffmpeg, on_progress=report)
        give_names({stem.path: track.targets[stem.name] for stem in separation.stems})
    return separation


def _progress(title: str) -> "AbstractContextManager[OnProgress]":
    """What shows how far it is, where somebody looks."""
    if not sys.stderr.isatty():
        return nullcontext(lambda _done, _total: None)
    from consumer.cli.progress import progress_bar

    return progress_bar(title)


def _told(separation: "Separation") -> str:
    audio, took_s = separation.audio, sum(separation.timings_s.values())
    kind = f"{audio.format}, {audio.channels} channels, {audio.sample_rate_hz} Hz"
    kind += f", audio track {audio.track}" if audio.track else ""
    return f"{audio.duration_s:.2f} s ({kind}) separated in {took_s:.2f} s"


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
