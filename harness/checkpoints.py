"""Random checkpoints in Spleeter's format, at full size, whose masks really differ from stem to stem.

Spleeter's own initializer gives every stem the same kernels, and then all masks are 1/n and any engine passes. Here
kernels are drawn a stem, and batch normalization gets the statistics of what really flows through it on some music,
as training would have given it, so that masks are spread over 0..1 instead of being saturated.
"""

import json
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the separator has it, wherever TensorFlow is loaded first
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from harness.audio import music

Tensors = dict[str, npt.NDArray[Any]]
Pair = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
_FRAMES, _BINS = 128, 1024  # of the music that normalization is fitted to


def write_checkpoint(
    model_path: Path,
    stems: int,
    *,
    seed: int,
    filters: tuple[int, ...] | None = None,
    names: Sequence[str] | None = None,
) -> Path:
    """Write `<stems>stems/` under model_path, as `spleeter` and this package read it; returns the folder.

    names: of a model that Spleeter has not, its stems; its networks are those of 4stems, and are given `filters`.
    """
    name = f"{stems}stems"
    params = _configuration("4stems") | {"instrument_list": names, "model_dir": name} if names else _configuration(name)
    options = params["model"]["params"]
    if filters:
        options["conv_n_filters"] = list(filters)
    widths = filters or (16, 32, 64, 128, 256, 512)
    rng = np.random.default_rng(seed)
    mix = _magnitudes(rng)
    tensors: Tensors = {"global_step": np.asarray(1, np.int64)}
    for stem in range(stems):
        _draw_network(tensors, stem, widths, options, mix, rng)
    folder = model_path / name
    folder.mkdir(parents=True, exist_ok=True)
    saved = sorted(tensors)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model"),
        tensor_names=saved,
        shape_and_slices=[""] * len(saved),
        tensors=[tf.constant(tensors[n]) for n in saved],
    )
    (folder / "checkpoint").write_text('model_checkpoint_path: "model"\nall_model_checkpoint_paths: "model"\n')
    (folder / ".probe").write_text("OK")  # Spleeter downloads a model whose folder lacks this
    if filters:
        for band, bins in (("", 1024), ("-16kHz", 1536)):
            (folder / f"{name}{band}.json").write_text(json.dumps(params | {"F": bins}, indent=1))
    return folder


def _configuration(name: str) -> dict[str, Any]:
    params: dict[str, Any] = json.loads((resources.files("spleeter.resources") / f"{name}.json").read_text())
    return params


def _magnitudes(rng: np.random.Generator) -> tf.Tensor:
    samples = music(seconds=_FRAMES * 1024 / 44100 + 0.2, seed=int(rng.integers(1 << 30)))
    stft = tf.signal.stft(tf.transpose(samples), 4096, 1024)
    return tf.transpose(tf.abs(stft), (1, 2, 0))[tf.newaxis, :_FRAMES, :_BINS]


def _draw_network(
    tensors: Tensors,
    stem: int,
    widths: tuple[int, ...],
    options: Mapping[str, Any],
    mix: tf.Tensor,
    rng: np.random.Generator,
) -> None:
    depth = len(widths)
    down = tf.nn.elu if options.get("conv_activation") == "ELU" else lambda x: tf.nn.leaky_relu(x, 0.2)
    up = tf.nn.elu if options.get("deconv_activation") == "ELU" else tf.nn.relu

    def put(name: str, value: npt.ArrayLike) -> npt.NDArray[np.float32]:
        tensors[name] = drawn = np.asarray(value, np.float32)
        return drawn

    def layer(kind: str, number: int, shape: tuple[int, ...], fan_in: float, out: int) -> Pair:
        name = kind if number == 0 else f"{kind}_{number}"
        kernel = put(f"{name}/kernel", rng.normal(0, (2 / fan_in) ** 0.5, shape))
        return kernel, put(f"{name}/bias", rng.normal(0, 0.1, out))

    def normalize(x: tf.Tensor, number: int, out: int) -> tf.Tensor:
        name = "batch_normalization" if number == 0 else f"batch_normalization_{number}"
        mean, variance = (
            put(f"{name}/moving_{k}", v) for k, v in zip(("mean", "variance"), tf.nn.moments(x, (0, 1, 2)), strict=True)
        )
        gamma, beta = put(f"{name}/gamma", rng.uniform(0.7, 1.3, out)), put(f"{name}/beta", rng.normal(0, 0.2, out))
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    x, incoming, skips = mix, 2, []
    for i, out in enumerate(widths):
        kernel, bias = layer("conv2d", stem * (depth + 1) + i, (5, 5, incoming, out), 25 * incoming, out)
        raw = tf.nn.conv2d(x, kernel, 2, "SAME") + bias
        skips.append(raw)
        x, incoming = down(normalize(raw, stem * 2 * depth + i, out)), out
    x = skips.pop()
    for i, out in enumerate((*reversed(widths[:-1]), 1)):
        # A stride of 2 each way: a quarter of the kernel meets any one output.
        kernel, bias = layer("conv2d_transpose", stem * depth + i, (5, 5, out, incoming), 25 * incoming / 4, out)
        shape = (1, 2 * x.shape[1], 2 * x.shape[2], out)
        x = normalize(up(tf.nn.conv2d_transpose(x, kernel, shape, 2) + bias), stem * 2 * depth + depth + i, out)
        if skips:
            x, incoming = tf.concat((skips.pop(), x), -1), 2 * out
    layer("conv2d", stem * (depth + 1) + depth, (4, 4, 1, 2), 16, 2)
