"""Spleeter's networks on OpenVINO, in full float32: the same graph as on TensorFlow, from the same weights."""

import os
import sys
from typing import Any

import numpy as np

from consumer.separator.dsp.by_scipy import WeightingByScipy, overlap_add_by_scipy, transform_by_scipy
from consumer.separator.dsp.weighting import Weighting
from consumer.separator.malloc import give_back_memory
from consumer.separator.models.checkpoint import Array, Layer, UNetWeights, load_checkpoint, subpixel_kernel
from consumer.separator.models.spec import ModelSpec
from consumer.separator.runtimes.runtime import MASK_EPSILON, padded_to_segment

# The package imports its converter of other frameworks' models, which takes most of its import's time and reports each
# import to its vendor over the network. It does without, where there is none.
sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402
from openvino import opset13 as op  # noqa: E402


class OpenVINORuntime:
    """See runtime.Runtime."""

    name = "openvino"

    def load(self, spec: ModelSpec) -> "OpenVINONetwork":
        """See runtime.Runtime."""
        return OpenVINONetwork(spec)


class OpenVINONetwork:
    """See runtime.Network."""

    segments_at_once = 1  # it divides each among all cores

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.transform, self.overlap_add = transform_by_scipy(spec), overlap_add_by_scipy(spec)
        self.weights_sha256, weights = load_checkpoint(spec)
        compiled = ov.Core().compile_model(_model(spec, weights), "CPU", _config())
        self._request = compiled.create_infer_request()  # its first run takes no longer than the others
        give_back_memory()

    def new_weighting(self, rate_hz: int) -> Weighting:
        """See runtime.Network."""
        return WeightingByScipy(rate_hz)

    def masks(self, magnitudes: Array) -> Array:
        """See runtime.Network."""
        segment = padded_to_segment(magnitudes, self.spec.segment_frames)
        result: Array = self._request.infer([segment], share_inputs=True)[0]
        return result[:, :, : magnitudes.shape[1]]


def _config() -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": "f32",  # its own choice may be bf16, which is far from Spleeter's numbers
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
        "ENABLE_CPU_PINNING": False,  # several separators would sit on the same cores
    }


def _model(spec: ModelSpec, weights: tuple[UNetWeights, ...]) -> Any:
    """(channels, T, F) -> (stems, channels, T, F), by Spleeter's ratio mask."""
    magnitudes = op.parameter((2, spec.segment_frames, spec.frequency_bins), np.float32)
    mix = op.unsqueeze(magnitudes, _constant([0]))
    logits = op.concat([_unet(spec, network, mix) for network in weights], 0)
    shares = op.softmax(logits, 0) if spec.has_softmax else op.sigmoid(logits)
    powers = op.power(op.multiply(shares, mix), np.float32(spec.separation_exponent))
    total = op.add(op.reduce_sum(powers, _constant([0]), keep_dims=True), np.float32(MASK_EPSILON))
    masks = op.divide(op.add(powers, np.float32(MASK_EPSILON / len(weights))), total)
    return ov.Model([masks], [magnitudes])


def _unet(spec: ModelSpec, weights: UNetWeights, mix: Any) -> Any:
    """(1, 2, T, F) magnitudes -> (1, 2, T, F) logits. Skips are the convolutions' raw outputs.

    TensorFlow's SAME padding, for even sizes: of a stride of 2 and a kernel of 5, 1 in front and 2 behind.
    """
    skips: list[Any] = []
    x = mix
    for layer in weights.down:
        raw = op.convolution(x, _kernel(layer), [2, 2], [1, 1], [2, 2], [1, 1])
        skips.append(op.add(raw, _channels(layer.bias)))
        x = _activate(spec.encoder_activation, _normalize(skips[-1], layer))
    x = skips.pop()  # the innermost normalization and activation lead nowhere, as in Spleeter
    for layer in weights.up:
        raw = op.add(_transposed_convolution(x, layer), _channels(layer.bias))
        x = _normalize(_activate(spec.decoder_activation, raw), layer)
        if skips:
            x = op.concat([skips.pop(), x], 1)
    raw = op.convolution(x, _kernel(weights.last), [1, 1], [3, 3], [3, 3], [2, 2])
    return op.add(raw, _channels(weights.last.bias))


def _transposed_convolution(x: Any, layer: Layer) -> Any:
    """With a stride of 2. Kernels are made for eight channels and more; to one alone, as at the end, it is done as a
    plain convolution to the four samples of each 2 x 2 square: a tenth of the network's time less.
    """
    if layer.kernel.shape[2] > 1:
        return op.convolution_backprop_data(x, _kernel(layer), [2, 2], None, [1, 1], [2, 2], [1, 1])
    square = np.ascontiguousarray(subpixel_kernel(layer.kernel).transpose(3, 2, 0, 1))
    plain = op.convolution(x, op.constant(square), [1, 1], [1, 1], [1, 1], [1, 1])
    return op.depth_to_space(plain, "blocks_first", 2)


def _activate(name: str, x: Any) -> Any:
    match name:
        case "ReLU":
            return op.relu(x)
        case "LeakyReLU":
            return op.prelu(x, np.array([0.2], np.float32))
        case _:
            return op.elu(x, 1.0)


def _normalize(x: Any, layer: Layer) -> Any:
    assert layer.scale is not None
    assert layer.shift is not None
    return op.add(op.multiply(x, _channels(layer.scale)), _channels(layer.shift))


def _kernel(layer: Layer) -> Any:
    """TensorFlow's (height, width, in, out) as (out, in, height, width); of a transposed one, (in, out, ...)."""
    return op.constant(np.ascontiguousarray(layer.kernel.transpose(3, 2, 0, 1)))


def _channels(values: Array) -> Any:
    return op.constant(values.reshape(1, -1, 1, 1))


def _constant(values: list[int]) -> Any:
    return op.constant(values, np.int64)
