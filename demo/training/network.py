"""The network in training: Spleeter's own U-Nets, narrower, and the checkpoint that Spleeter reads."""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from spleeter.model.functions.unet import apply_unet

NAME = "2stems"
STEMS = ("vocals", "accompaniment")
BINS = 1024
FILTERS = (12, 24, 32, 40, 48, 64)  # Spleeter's are 16 to 512; these make 3.8 MB of two networks


@dataclass(frozen=True, slots=True, kw_only=True)
class UNets:
    """logits: from magnitudes (batch, T, BINS, 2) to one (batch, T, BINS, 2) a stem."""

    logits: Any

    @property
    def variables(self) -> dict[str, Any]:
        """By the names that they have in a checkpoint."""
        return {variable.name.removesuffix(":0"): variable for variable in self.logits.variables}


def build(frames: int) -> UNets:
    """Fresh networks for crops of so many frames. Spleeter's dropout is off: there are always new mixes to learn."""
    tf.keras.backend.clear_session()  # or Keras goes on counting layers, and names are what a checkpoint knows
    magnitudes = tf.keras.Input((frames, BINS, 2))
    parameters = {"conv_n_filters": list(FILTERS)}
    outputs = [apply_unet(magnitudes, stem, parameters, output_mask_logit=True) for stem in STEMS]
    model = tf.keras.Model(magnitudes, outputs)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Dropout):
            layer.rate = 0.0
    return UNets(logits=model)


def load(networks: UNets, folder: Path) -> None:
    """Take the weights of a checkpoint that `save` wrote."""
    reader = tf.train.load_checkpoint(str(folder / "model"))
    for name, variable in networks.variables.items():
        variable.assign(reader.get_tensor(name))


def save(networks: UNets, folder: Path, step: int) -> None:
    """Write the checkpoint and its configuration as Spleeter lays them out; folder is named after the model."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: variable.numpy() for name, variable in networks.variables.items()}
    for stem in range(len(STEMS)):
        # The normalization behind the innermost convolution leads nowhere in Spleeter, so Keras has dropped it here;
        # its variables must exist all the same.
        prefix = f"batch_normalization_{2 * len(FILTERS) * stem + len(FILTERS) - 1}"
        for part, value in (("gamma", 1), ("beta", 0), ("moving_mean", 0), ("moving_variance", 1)):
            tensors[f"{prefix}/{part}"] = np.full(FILTERS[-1], value, np.float32)
    tensors["global_step"] = np.int64(step)
    names = sorted(tensors)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(tensors[name]) for name in names],
    )
    (folder / "checkpoint").write_text('model_checkpoint_path: "model"\nall_model_checkpoint_paths: "model"\n')
    (folder / ".probe").write_text("OK")  # Spleeter downloads a model whose folder lacks this
    shipped = json.loads((resources.files("spleeter.resources") / f"{NAME}.json").read_text())
    shipped["model"]["params"]["conv_n_filters"] = list(FILTERS)
    for band, bins in (("", 1024), ("-16kHz", 1536)):
        (folder / f"{NAME}{band}.json").write_text(json.dumps(shipped | {"F": bins}, indent=1) + "\n")
