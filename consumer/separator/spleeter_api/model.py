"""Loads a model for Spleeter's interface: its weights, on the runtime that there is for it."""

from pathlib import Path

from consumer.core.catalog import MODELS
from consumer.core.checkpoints import checkpoint_files, refuse_other_weights, weights_sha256
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
        wanted = surroundings.model_digests()
        if spec.folder.name in wanted:
            digest = weights_sha256(checkpoint_files(spec.name, spec.folder)[1])
            refuse_other_weights(spec.name, spec.folder.name, digest, wanted)
        return make_runtime(choose_runtime(surroundings.runtime(), [spec]).name).load(spec)


def _missing(folder: Path) -> str:
    lies = f"there are no weights in {folder.absolute()}"
    if folder.name in MODELS.values():
        return f"{lies}: `spleeter-consumer models pull {folder.name}` fetches them, and MODEL_PATH says where they lie"
    return f"{lies}, where model_dir in the configuration and MODEL_PATH lead"
