"""`models list`, `models pull`, `models convert` and `models check`."""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.core.errors import Fatal, Rejected, SettingsError

if TYPE_CHECKING:
    from consumer.settings import SeparatorSettings

app = typer.Typer(no_args_is_help=True, help="The models under MODEL_PATH.")

Names = Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="Such as 2stems; by default MODELS.")]


@app.command("list")
def list_models() -> None:
    """Print each model's name and the digest of its checkpoint, or what is wrong with it."""
    from consumer.core.catalog import MODELS
    from consumer.core.checkpoints import checkpoint_sha256
    from consumer.settings import SeparatorSettings

    settings = SeparatorSettings.load()
    for name in dict.fromkeys(MODELS.values()):
        folder = settings.model_path / name
        try:
            found = checkpoint_sha256(name, folder) if folder.is_dir() else "not there"
        except Rejected as rejected:
            found = rejected.message
        except OSError as error:
            raise SettingsError(f"MODEL_PATH: can't be read ({error.strerror})", variables=("MODEL_PATH",)) from error
        typer.echo(f"{name}  {found}")


@app.command()
def pull(models: Names = None) -> None:
    """Fetch what is missing from MODEL_SOURCES, checked against its published checksum; print the digests."""
    from consumer.adapters.factories import make_store
    from consumer.adapters.model_sources import model_sources
    from consumer.core.version import VERSION
    from consumer.observability import logging as logs
    from consumer.pipeline.model_store import ModelStore
    from consumer.separator.models.conversion_cache import discard_unfit
    from consumer.settings import SeparatorSettings

    settings = SeparatorSettings.load()
    names = _known(models, settings)
    logs.configure("ERROR", "console", instance_id="", version=VERSION)
    needs_store = any(source.startswith("s3://") for source in settings.model_sources)
    store = make_store() if needs_store else None
    sources = model_sources(settings.model_sources, store)
    weights = ModelStore(settings.model_path, sources, discard_unfit, digests=settings.model_sha256)
    for name in names:
        typer.echo(f"{name}  {weights.ensure(name)}")


@app.command()
def convert(models: Names = None) -> None:
    """Write each model as the native runtime maps it, beside its checkpoint; one that is whole is left as it is."""
    from consumer.core.catalog import MODELS
    from consumer.core.checkpoints import checkpoint_sha256, refuse_other_weights
    from consumer.separator.models import conversion_cache
    from consumer.settings import SeparatorSettings

    settings = SeparatorSettings.load()
    names = _known(models, settings)
    bad = 0
    for name in names:
        folder = settings.model_path / MODELS[name]
        try:
            digest = checkpoint_sha256(name, folder)
            refuse_other_weights(name, folder.name, digest, settings.model_sha256)
            kept = conversion_cache.convert(name, folder, digest)
            typer.echo(f"{name}  {kept.name}  {kept.stat().st_size / 1e6:.0f} MB")
        except Rejected as rejected:
            bad += 1
            typer.echo(f"{name}  {rejected.message}")
        except OSError as error:
            why = f"MODEL_PATH: its conversion can't be written ({error.strerror or type(error).__name__})"
            raise SettingsError(why, variables=("MODEL_PATH",)) from error
    if bad:
        raise Fatal(f"{bad} of {len(names)} models can't be converted")


@app.command()
def check(models: Names = None) -> None:
    """Load each model as a separator would, so that a damaged one or another architecture is found out."""
    from consumer.core.checkpoints import checkpoint_sha256
    from consumer.separator.models.spec import load_spec
    from consumer.separator.runtimes.choice import choose_for_replica
    from consumer.settings import SeparatorSettings

    settings = SeparatorSettings.load()
    names = _known(models, settings)
    runtime = choose_for_replica(settings.separator_runtime, settings.model_path).name
    bad = 0
    for name in names:
        try:
            spec = load_spec(name, settings.model_path)
            digest = checkpoint_sha256(name, spec.folder)
            _load_confined(name, settings, runtime)
            typer.echo(f"{name}  ok  {digest}  {', '.join(spec.stems)}")
        except Rejected as rejected:
            bad += 1
            typer.echo(f"{name}  {rejected.message}")
    if bad:
        raise Fatal(f"{bad} of {len(names)} models can't be used")


def _load_confined(name: str, settings: "SeparatorSettings", runtime: str) -> None:
    """Have a separator's process load the model: what reads a stranger's weights has none of our secrets.

    Raises Rejected(MODEL_UNAVAILABLE) where it can't.
    """
    from consumer.core.cancellation import Cancellation
    from consumer.core.checkpoints import unavailable
    from consumer.core.errors import Code
    from consumer.core.extras import missing_in
    from consumer.separator.child_process import ChildProcess
    from consumer.separator.client import not_measured
    from consumer.separator.protocol import Configure
    from consumer.separator.status import SeparatorStatus
    from consumer.settings import environment_without_secrets

    with tempfile.TemporaryDirectory() as scratch:
        configuration = Configure(
            model_path=settings.model_path.absolute(),
            runtime=runtime,
            allowed_formats=(),
            models=(name,),
            scratch=Path(scratch),
            ffmpeg_path=settings.ffmpeg_path,
            digests=settings.model_sha256,
        )
        command = (sys.executable, "-m", "consumer.separator.process")
        child = ChildProcess(command, environment_without_secrets(), configuration, SeparatorStatus(), not_measured)
        try:
            if not child.wait_loaded(Cancellation()):
                why, is_dead = child.status.reason, not child.alive
                child.kill()  # which waits for its last words
                why_dead = is_dead and (child.stderr_tail or ["without a word"])[-1]
                if missing := missing_in(child.stderr_tail):
                    raise missing
                if why_dead:
                    raise unavailable(name, f"the process that was to load it died ({why_dead})")
                raise Rejected(Code.MODEL_UNAVAILABLE, why)
        finally:
            child.kill()


def _known(models: list[str] | None, settings: "SeparatorSettings") -> list[str]:
    from consumer.core.catalog import MODELS

    names = list(models or settings.models)
    for name in names:
        if name not in MODELS:
            raise typer.BadParameter(f"{name} is not one of {', '.join(MODELS)}", param_hint="MODEL")
    return names
