"""Loads a model for Spleeter's interface: its weights, on the runtime that there is for it."""

from pathlib import Path

from consumer.core.catalog import MODELS
from consumer.core.checkpoints import require_named_weights
from consumer.separator.dsp.network import Network
from consumer.separator.models.spec import ModelSpec
from consumer.separator.runtimes.choice import choose_runtime
from consumer.separator.runtimes.factory import make_runtime
from consumer.separator.spleeter_api import surroundings
from consumer.separator.spleeter_api.errors import SpleeterError, told_as_spleeter_error


def load_network(spec: ModelSpec) -> Network:
    """The model, loaded. Raises SpleeterError, which says which folder lacks its weights, or why they can't be used."""
    if not spec.folder.is_dir():
        raise SpleeterError(_missing(spec.folder))
    with told_as_spleeter_error():
        require_named_weights(spec.name, spec.folder, surroundings.model_digests())
        return make_runtime(choose_runtime(surroundings.runtime(), [spec]).name).load(spec)


def _missing(folder: Path) -> str:
    lies = f"there are no weights in {folder.absolute()}"
    if folder.name in MODELS.values():
        return f"{lies}: `spleeter-consumer models pull {folder.name}` fetches them, and MODEL_PATH says where they lie"
    return f"{lies}, where model_dir in the configuration and MODEL_PATH lead"
