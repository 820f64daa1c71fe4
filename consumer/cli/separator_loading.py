"""What separating files takes, got ready while nobody works yet: the model's weights, its networks, ffmpeg."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.core.catalog import MODELS, SOURCE_FORMATS
from consumer.core.extras import not_installed

if TYPE_CHECKING:
    from consumer.core.runtimes import ChosenRuntime
    from consumer.separator.audio.ffmpeg import FFmpeg
    from consumer.separator.dsp.network import Network
    from consumer.separator.models.spec import ModelSpec
    from consumer.settings import SeparatorSettings


@contextmanager
def nothing_collected() -> Iterator[None]:
    """For imports: to look again and again for what of them may go takes a tenth of a start, and nothing may."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def is_named(model: str) -> bool:
    """Whether it is one of the catalog, and no configuration file."""
    return model.startswith("spleeter:")


def specification(model: str, settings: "SeparatorSettings") -> "ModelSpec":
    """Of a model by its name, or of a configuration file, with its weights where they are to be.

    Raises Rejected, Fatal where what separates is not installed: nothing is fetched then.
    """
    if find_spec("numpy") is None:
        raise not_installed("numpy")
    from consumer.separator.models.spec import load_spec, read_spec

    if is_named(model):
        name = model.removeprefix("spleeter:")
        _ensure(name, settings)
        return load_spec(name, settings.model_path)
    spec = read_spec(Path(model))
    if spec.folder.is_dir() or not spec.folder.is_relative_to(Path(model).parent):
        return spec
    # As Spleeter, which knows no other place: a copy of a configuration of its own goes on with its weights.
    folder = spec.folder.relative_to(Path(model).parent)
    if str(folder) in MODELS:
        _ensure(str(folder), settings)
    return replace(spec, folder=settings.model_path / folder)


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        return False  # as the store will tell


def _ensure(name: str, settings: "SeparatorSettings") -> None:
    """Have its weights there, and the right ones. What fetches and checks them is loaded where that is to be done."""
    folder = MODELS.get(name, "")
    if folder and folder not in settings.model_sha256 and _is_there(settings.model_path / folder):
        return
    from consumer.adapters.model_sources import model_sources
    from consumer.pipeline.model_store import ModelStore

    sources = model_sources(settings.model_sources, None)
    ModelStore(settings.model_path, sources, digests=settings.model_sha256).ensure(name)


def load(spec: "ModelSpec", settings: "SeparatorSettings", chosen: "ChosenRuntime") -> "tuple[Network, FFmpeg]":
    """The network is loaded, its weights read and checked, while all else is: half of that needs no interpreter."""
    from concurrent.futures import ThreadPoolExecutor  # which no `--help` should wait for

    from consumer.separator.runtimes.factory import leave_keras_out, make_runtime

    leave_keras_out()
    with ThreadPoolExecutor(1) as thread:
        loading = thread.submit(lambda: make_runtime(chosen.name).load(spec))
        import_module("consumer.separator.track")  # which the work itself will need
        from consumer.separator.audio.ffmpeg import FFmpeg, bundled_binary

        ffmpeg = FFmpeg(binary=settings.ffmpeg_path or bundled_binary(), allowed_formats=SOURCE_FORMATS)
        return loading.result(), ffmpeg
