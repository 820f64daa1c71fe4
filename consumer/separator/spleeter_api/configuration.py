"""Finds the model that Spleeter's `params_descriptor` names: one of Spleeter's own, or a configuration file's."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from consumer.core.catalog import MODELS
from consumer.core.errors import Rejected
from consumer.separator.models.spec import ModelSpec, load_spec, read_spec
from consumer.separator.spleeter_api.errors import SpleeterError, told_as_spleeter_error

_PREFIX = "spleeter:"
_MOST_BYTES = 1 << 20
_NETWORKS = ("unet.unet", "unet.softmax_unet")
_LAYERS = 6  # Spleeter's networks have so many each way, whatever the configuration
_HALVED = 1 << _LAYERS


def find_spec(descriptor: str | os.PathLike[str], model_path: Path) -> ModelSpec:
    """The model's specification; its folder need not be there.

    descriptor: spleeter:NAME, or the path of a configuration file. model_path: where a relative model_dir lies, as with
    Spleeter. Raises SpleeterError, which names the key that is wrong or not supported.
    """
    text = os.fspath(descriptor)
    if text.startswith(_PREFIX):
        return _shipped(text.removeprefix(_PREFIX), model_path)
    path = Path(text)
    params = _read(path)
    _check(path, params)
    try:
        return read_spec(path, name=path.stem, folder=model_path / params["model_dir"])
    except Rejected as rejected:
        raise SpleeterError(rejected.message) from rejected


def _shipped(name: str, model_path: Path) -> ModelSpec:
    if name not in MODELS:
        raise SpleeterError(f"No embedded configuration {name} found; there are {', '.join(MODELS)}")
    with told_as_spleeter_error():
        return load_spec(name, model_path)


def _read(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        raise SpleeterError(f"Configuration file {path} not found")
    try:
        with path.open(encoding="utf-8") as text:
            params = json.loads(text.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise SpleeterError(f"Configuration file {path} can't be read: {error}") from error
    if not isinstance(params, dict):
        raise SpleeterError(f"Configuration file {path} holds no object")
    return params


def _check(path: Path, params: Mapping[str, Any]) -> None:
    """What Spleeter asks of a configuration, or can't compute, beyond what every specification is held to."""
    network = _wanted(path, params, "model")
    if not isinstance(network, dict) or not isinstance(network.get("params"), dict):
        raise _unsupported(path, "model.params", "must be an object")
    if network.get("type", _NETWORKS[0]) not in _NETWORKS:
        raise _unsupported(path, "model.type", f"must be one of {', '.join(_NETWORKS)}", network["type"])
    filters = network["params"].get("conv_n_filters")
    if filters is not None and (not isinstance(filters, list) or len(filters) != _LAYERS):
        raise _unsupported(path, "model.params.conv_n_filters", f"must be a list of {_LAYERS} numbers", filters)
    folder = _wanted(path, params, "model_dir")
    if not isinstance(folder, str) or not folder or "\0" in folder:
        raise _unsupported(path, "model_dir", "must be a path", folder)
    if _wanted(path, params, "n_channels") != 2:
        raise _unsupported(path, "n_channels", "must be 2, since the networks give two", params["n_channels"])
    for key in ("T", "F"):
        value = _wanted(path, params, key)
        if type(value) is not int or value < 1 or value % _HALVED:
            raise _unsupported(path, key, f"must be a multiple of {_HALVED}, since it is halved {_LAYERS} times", value)
    length, step = _wanted(path, params, "frame_length"), _wanted(path, params, "frame_step")
    if type(length) is not int or length < 2 or length & (length - 1):
        raise _unsupported(path, "frame_length", "must be a power of two", length)
    if type(step) is not int or step < 1 or length % step:
        raise _unsupported(path, "frame_step", "must divide frame_length", step)


def _wanted(path: Path, params: Mapping[str, Any], key: str) -> Any:
    if key not in params:
        raise SpleeterError(f"{path}: {key} is missing")
    return params[key]


def _unsupported(path: Path, key: str, must: str, value: object = None) -> SpleeterError:
    return SpleeterError(f"{path}: {key} {must}" + ("" if value is None else f", not {str(value)[:80]}"))
