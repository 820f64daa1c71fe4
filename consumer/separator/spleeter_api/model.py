"""Loads a model for Spleeter's interface: its weights, on the runtime that there is for it."""

from pathlib import Path

from consumer.core.catalog import MODELS
from consumer.core.checkpoints import checkpoint_files, refuse_other_weights, weights_sha256
from consumer.core.errors import Rejected
from consumer.core.runtimes import SeparatorRuntime
from consumer.separator.dsp.network import Network
from consumer.separator.models.spec import ModelSpec
from consumer.separator.runtimes.factory import make_runtime
from consumer.separator.spleeter_api import surroundings
from consumer.separator.spleeter_api.errors import SpleeterError, told_as_spleeter_error

# The fastest first. The ones that are not installed, or can't compute the model, are passed over.
_PREFERRED = (SeparatorRuntime.NATIVE, SeparatorRuntime.OPENVINO, SeparatorRuntime.TENSORFLOW)


def load_network(spec: ModelSpec) -> Network:
    """The model, loaded. Raises SpleeterError, which says which folder lacks its weights, or why they can't be used."""
    if not spec.folder.is_dir():
        raise SpleeterError(_missing(spec.folder))
    with told_as_spleeter_error():
        wanted = surroundings.model_digests()
        if spec.folder.name in wanted:
            digest = weights_sha256(checkpoint_files(spec.name, spec.folder)[1])
            refuse_other_weights(spec.name, spec.folder.name, digest, wanted)
        asked_for = surroundings.runtime()
        return _load_on_any(spec) if asked_for is None else _load_on(asked_for, spec)


def _load_on(name: str, spec: ModelSpec) -> Network:
    try:
        runtime = SeparatorRuntime(name)
    except ValueError as error:
        known = ", ".join(["auto", *map(str, _PREFERRED)])
        raise SpleeterError(f"SEPARATOR_RUNTIME must be one of {known}, not {name}") from error
    return make_runtime(str(runtime)).load(spec)


def _load_on_any(spec: ModelSpec) -> Network:
    """On the first runtime that can. What the first of those that are installed says is told where none can."""
    absent: list[Rejected] = []
    refused: list[Rejected] = []
    for name in _PREFERRED:
        try:
            runtime = make_runtime(str(name))
        except Rejected as rejected:
            absent.append(rejected)
            continue
        try:
            return runtime.load(spec)
        except Rejected as rejected:
            refused.append(rejected)
    raise (refused or absent)[0]


def _missing(folder: Path) -> str:
    lies = f"there are no weights in {folder.absolute()}"
    if folder.name in MODELS.values():
        return f"{lies}: `spleeter-consumer models pull {folder.name}` fetches them, and MODEL_PATH says where they lie"
    return f"{lies}, where model_dir in the configuration and MODEL_PATH lead"
