"""One stem's network as ONNX, in the form that sherpa-onnx wants Spleeter's two stems in.

Run by `uv run --with onnx`: the project itself has no use for the package.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from consumer.separator.models.checkpoint import Layer, UNetWeights
from consumer.separator.models.spec import ModelSpec

_ACTIVATIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ReLU": ("Relu", {}),
    "LeakyReLU": ("LeakyRelu", {"alpha": 0.2}),
    "ELU": ("Elu", {"alpha": 1.0}),
}
# TensorFlow's SAME padding for even sizes and a stride of 2: 1 in front, 2 behind.
_STRIDED = {"strides": [2, 2], "pads": [1, 1, 2, 2]}
_LAST = {"dilations": [2, 2], "pads": [3, 3, 3, 3]}
_OPSET = 17


def write_onnx(path: Path, spec: ModelSpec, weights: UNetWeights) -> None:
    """Magnitudes x (channels, segments, frames, bins) to the stem's magnitudes y of the same shape."""
    graph = _Graph()
    spectrogram = graph.add("Transpose", ["x"], perm=[1, 0, 2, 3])
    share = graph.add("Sigmoid", [_unet(graph, spec, weights, spectrogram)])
    masked = graph.add("Mul", [share, spectrogram])
    graph.add("Transpose", [masked], output="y", perm=[1, 0, 2, 3])
    shape = [2, "segments", spec.segment_frames, spec.frequency_bins]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    made = helper.make_model(
        helper.make_graph(graph.nodes, "stem", ends[:1], ends[1:], graph.values),
        opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8,
    )  # fmt: skip
    helper.set_model_props(made, {"model_type": "spleeter", "stems": "2", "sample_rate": "44100"})
    onnx.checker.check_model(made)
    onnx.save(made, path)


def _unet(graph: "_Graph", spec: ModelSpec, weights: UNetWeights, mix: str) -> str:
    """(segments, 2, T, F) magnitudes to (segments, 2, T, F) logits."""
    skips, x = [], mix
    for layer in weights.down:
        skips.append(graph.layer("Conv", x, layer, **_STRIDED))
        x = graph.activated(spec.encoder_activation, graph.normalized(skips[-1], layer))
    x = skips.pop()  # the innermost normalization and activation lead nowhere, as in Spleeter
    for layer in weights.up:
        raw = graph.layer("ConvTranspose", x, layer, **_STRIDED)
        x = graph.normalized(graph.activated(spec.decoder_activation, raw), layer)
        if skips:
            x = graph.add("Concat", [skips.pop(), x], axis=1)
    return graph.layer("Conv", x, weights.last, **_LAST)


class _Graph:
    """Nodes in their order, and the constants that they use."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.values: list[Any] = []

    def add(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        name = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, values: NDArray[np.float32]) -> str:
        name = f"c{len(self.values)}"
        self.values.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def layer(self, kind: str, x: str, layer: Layer, **attributes: Any) -> str:
        """TensorFlow's (height, width, in, out) becomes (out, in, ...), and of a transposed one (in, out, ...)."""
        kernel = self.constant(layer.kernel.transpose(3, 2, 0, 1))
        return self.add(kind, [x, kernel, self.constant(layer.bias)], **attributes)

    def activated(self, name: str, x: str) -> str:
        kind, attributes = _ACTIVATIONS[name]
        return self.add(kind, [x], **attributes)

    def normalized(self, x: str, layer: Layer) -> str:
        assert layer.scale is not None
        assert layer.shift is not None
        scaled = self.add("Mul", [x, self.constant(layer.scale.reshape(1, -1, 1, 1))])
        return self.add("Add", [scaled, self.constant(layer.shift.reshape(1, -1, 1, 1))])
