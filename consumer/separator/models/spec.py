"""What a model is made of: as `core.architectures` has it of Spleeter's own, or as a configuration file says."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from consumer.core.architectures import ARCHITECTURES, Architecture
from consumer.core.catalog import HIGH_FREQUENCIES, MODELS, STEM_MODELS
from consumer.core.checkpoints import unavailable

# No network needs more, and memory grows with each.
_MOST_STEMS, _MOST_LAYERS, _MOST_FILTERS = 16, 10, 4096
_MOST_CHARACTERS = 1 << 16
_STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec(Architecture):
    """A model, where it lies, and what it is made of.

    name, folder: the model's, and where its checkpoint lies. stems: their names, in the networks' order.
    """

    name: str
    folder: Path
    stems: tuple[str, ...]

    @property
    def segment_samples(self) -> int:
        """Samples a channel by which one segment advances: 524,288, or 11.889 s."""
        return self.segment_frames * self.frame_step


def load_spec(name: str, model_path: Path) -> ModelSpec:
    """The model's specification, its folder being one of MODEL_PATH's.

    A `<name>.json` beside the checkpoint is preferred to what the catalog has of Spleeter's own models.
    Raises Rejected(MODEL_UNAVAILABLE).
    """
    if name not in MODELS:
        raise unavailable(name, f"unknown model; there are {', '.join(MODELS)}")
    folder = model_path / MODELS[name]
    own = folder / f"{name}.json"
    if own.is_file():
        return read_spec(own, name=name, folder=folder)
    if name not in ARCHITECTURES:
        raise unavailable(name, f"there is no {name}.json beside its weights, and Spleeter ships none")
    return ModelSpec(name=name, folder=folder, stems=STEM_MODELS[name].stems, **asdict(ARCHITECTURES[name]))


def read_spec(config: Path, *, name: str | None = None, folder: Path | None = None) -> ModelSpec:
    """The specification in a Spleeter configuration file; its model_dir is relative to the file unless given."""
    name = name or config.stem
    try:
        with config.open(encoding="utf-8") as text:
            params = json.loads(text.read(_MOST_CHARACTERS))
        return _parse(name, folder or config.parent / _section(params, "it")["model_dir"], params)
    except KeyError as error:
        raise unavailable(name, f"{config.name} is not a Spleeter configuration ({error} is missing)") from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise unavailable(name, f"{config.name} is not a Spleeter configuration ({error})") from error


def _parse(name: str, folder: Path, params: dict[str, Any]) -> ModelSpec:
    network = _section(_section(params, "it").get("model", {}), "model")
    options = _section(network.get("params", {}), "params")
    kind = network.get("type", "unet.unet")
    if kind not in ("unet.unet", "unet.softmax_unet"):
        raise unavailable(name, f"network type {str(kind)[:80]} is not supported")
    frame_length = _whole(params, "frame_length", 2, 1 << 16)
    return ModelSpec(
        name=name,
        folder=folder,
        stems=_stems(params["instrument_list"]),
        sample_rate_hz=_whole(params, "sample_rate", 1000, 768_000),
        frame_length=frame_length,
        frame_step=_whole(params, "frame_step", 1, frame_length),
        segment_frames=_whole(params, "T", 1, 8192),
        # There are no more bins than these: whoever computes more reads what is no spectrum.
        frequency_bins=_whole(params, "F", 1, frame_length // 2 + 1),
        separation_exponent=_whole(params, "separation_exponent", 1, 16),
        mask_extension=_one_of(params, "mask_extension", HIGH_FREQUENCIES),
        filters=_filters(options.get("conv_n_filters", Architecture().filters)),
        encoder_activation="ELU" if options.get("conv_activation") == "ELU" else _relu(options, "conv", "LeakyReLU"),
        decoder_activation="ELU" if options.get("deconv_activation") == "ELU" else _relu(options, "deconv", "ReLU"),
        has_softmax=kind == "unet.softmax_unet",
    )


def _section(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object")
    return value


def _whole(params: dict[str, Any], key: str, least: int, most: int) -> int:
    """A whole number within these bounds. Raises KeyError, ValueError."""
    value = params[key]
    if type(value) is not int or not least <= value <= most:  # a bool is an int, and a float none
        raise ValueError(f"{key} must be a whole number from {least} to {most}, not {str(value)[:40]}")
    return value


def _one_of(params: dict[str, Any], key: str, words: tuple[str, ...]) -> str:
    value = params[key]
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{key} must be one of {', '.join(words)}")
    return value


def _stems(value: Any) -> tuple[str, ...]:
    """Each becomes a file's name, and a part of an object's key."""
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST_STEMS:
        raise ValueError(f"instrument_list must be a list of 1 to {_MOST_STEMS} names")
    for stem in value:
        if not isinstance(stem, str) or not _STEM.fullmatch(stem):
            raise ValueError(f"instrument_list: {str(stem)[:40]!r} is no name of a stem")
    if len(set(value)) != len(value):
        raise ValueError("instrument_list names a stem twice")
    return tuple(value)


def _filters(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= _MOST_LAYERS:
        raise ValueError(f"conv_n_filters must be a list of 1 to {_MOST_LAYERS} numbers")
    if not all(type(count) is int and 1 <= count <= _MOST_FILTERS for count in value):
        raise ValueError(f"conv_n_filters must be whole numbers from 1 to {_MOST_FILTERS}")
    return tuple(value)


def _relu(options: dict[str, Any], side: str, default: str) -> str:
    named = options.get(f"{side}_activation")
    return named if isinstance(named, str) and named in ("ReLU", "LeakyReLU") else default
