"""What Spleeter's configuration files say of a model."""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from consumer.core.catalog import MODELS
from consumer.core.checkpoints import unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model's architecture and signal parameters, from a Spleeter configuration (deezer/spleeter, resources/*.json).

    name, folder: the model's, and where its checkpoint lies. stems: their names, in the networks' order.
    frame_length, frame_step: samples of a frame of the STFT, and from one frame to the next. segment_frames: frames of
    one network's input, T. frequency_bins: F, the lowest of the frame_length / 2 + 1 bins, which get a mask.
    mask_extension: what the bins above them get, zeros or average. separation_exponent: of the ratio mask.
    filters: channels behind each strided convolution.
    """

    name: str
    folder: Path
    stems: tuple[str, ...]
    sample_rate_hz: int
    frame_length: int
    frame_step: int
    segment_frames: int
    frequency_bins: int
    separation_exponent: int
    mask_extension: str
    filters: tuple[int, ...]
    encoder_activation: str  # LeakyReLU or ELU
    decoder_activation: str  # ReLU, LeakyReLU or ELU
    has_softmax: bool  # stems compete for each bin (5 stems) instead of a sigmoid each

    @property
    def segment_samples(self) -> int:
        """Samples a channel by which one segment advances: 524,288, or 11.889 s."""
        return self.segment_frames * self.frame_step


def load_spec(name: str, model_path: Path) -> ModelSpec:
    """The model's specification, its folder being one of MODEL_PATH's.

    A `<name>.json` beside the checkpoint is preferred to the configuration that Spleeter ships.
    Raises Rejected(MODEL_UNAVAILABLE).
    """
    if name not in MODELS:
        raise unavailable(name, f"unknown model; there are {', '.join(MODELS)}")
    folder = model_path / MODELS[name]
    own = folder / f"{name}.json"
    if own.is_file():
        return read_spec(own, name=name, folder=folder)
    shipped = resources.files("spleeter.resources") / f"{name}.json"
    if not shipped.is_file():
        raise unavailable(name, f"there is no {name}.json beside its weights, and Spleeter ships none")
    return _parse(name, folder, json.loads(shipped.read_text()))


def read_spec(config: Path, *, name: str | None = None, folder: Path | None = None) -> ModelSpec:
    """The specification in a Spleeter configuration file; its model_dir is relative to the file unless given."""
    name = name or config.stem
    try:
        params = json.loads(config.read_text())
        return _parse(name, folder or config.parent / params["model_dir"], params)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise unavailable(name, f"{config.name} is not a Spleeter configuration ({error})") from error


def _parse(name: str, folder: Path, params: dict[str, Any]) -> ModelSpec:
    network = params.get("model", {})
    options = network.get("params", {})
    kind = network.get("type", "unet.unet")
    if kind not in ("unet.unet", "unet.softmax_unet"):
        raise unavailable(name, f"network type {kind} is not supported")
    return ModelSpec(
        name=name,
        folder=folder,
        stems=tuple(params["instrument_list"]),
        sample_rate_hz=params["sample_rate"],
        frame_length=params["frame_length"],
        frame_step=params["frame_step"],
        segment_frames=params["T"],
        frequency_bins=params["F"],
        separation_exponent=params["separation_exponent"],
        mask_extension=params["mask_extension"],
        filters=tuple(options.get("conv_n_filters", (16, 32, 64, 128, 256, 512))),
        encoder_activation="ELU" if options.get("conv_activation") == "ELU" else _relu(options, "conv", "LeakyReLU"),
        decoder_activation="ELU" if options.get("deconv_activation") == "ELU" else _relu(options, "deconv", "ReLU"),
        has_softmax=kind == "unet.softmax_unet",
    )


def _relu(options: dict[str, Any], side: str, default: str) -> str:
    named = options.get(f"{side}_activation")
    return named if named in ("ReLU", "LeakyReLU") else default
