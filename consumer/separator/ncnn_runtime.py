"""Spleeter's networks on ncnn, in full float32: the same graph as `tensorflow_runtime`, from the same weights.

ncnn computes 3 x 3 convolutions with a stride of 1 by Winograd's minimal filtering (Lavin and Gray 2016, F(4, 3)), with
a quarter of the multiplications. Spleeter's have 5 x 5 values and a stride of 2. Over the four phases of their input,
or to the four phases of their output, they are of that kind, with 36 values instead of 25, of which 11 are zero.

Some are done the plain way. From two channels, at the start, and to one or two, at the end, it is the faster one. The
two innermost have the largest kernels and the fewest samples: by Winograd's they would double the memory, for 4 % of
the time.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ncnn
import numpy as np

from consumer.separator.checkpoint import Array, Layer, UNetWeights, build_weights, phase_kernel, subpixel_kernel
from consumer.separator.convert import load_tensors
from consumer.separator.memory import give_back_memory
from consumer.separator.models import ModelSpec, checkpoint_files, weights_sha256
from consumer.separator.runtime import MASK_EPSILON

_INPUT = "x0"
_BLOCK_FRAMES = 32  # for so many frames, what the masks are computed from stays in a core's cache
_REDUCED = (
    "use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_packed", "use_bf16_storage",
    "use_int8_inference",
)  # fmt: skip

# ncnn's padding 4 and 14 to 16 (left, top, right, bottom), as TensorFlow's SAME; with a stride of 2 for a kernel of 5.
_AROUND_3, _STRIDED_5 = "4=1 14=1", "3=2 4=1 14=1 15=2 16=2"


class NCNNRuntime:
    name = "ncnn"

    def load(self, spec: ModelSpec) -> "NCNNNetwork":
        return NCNNNetwork(spec)


class NCNNNetwork:
    """One network a stem, each in a thread of its own: on two cores that is faster than two threads for each."""

    segments_at_once = 2  # so that no core waits for the other's last network: with 5 stems 9 % less time for a job

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.weights_sha256 = weights_sha256(checkpoint_files(spec.name, spec.folder)[1])
        cores = len(os.sched_getaffinity(0))
        weights = build_weights(spec, load_tensors(spec.name, spec.folder, self.weights_sha256))
        pools = ncnn.PoolAllocator(), ncnn.PoolAllocator()  # with 5 stems 0.4 GB less than from the C library
        threads = max(1, cores // (self.segments_at_once * len(weights)))
        self._networks = [_StemNetwork(spec, network, pools, threads) for network in weights]
        self._threads = ThreadPoolExecutor(cores)
        give_back_memory()

    def masks(self, magnitudes: Array) -> Array:
        mix = np.ascontiguousarray(magnitudes)
        logits = list(self._threads.map(lambda network: network.logits(mix), self._networks))
        masks = np.empty((len(logits), *mix.shape), np.float32)
        for start in range(0, self.spec.segment_frames, _BLOCK_FRAMES):
            block = np.s_[:, start : start + _BLOCK_FRAMES]
            _fill_masks(self.spec, masks[:, *block], [stem[block] for stem in logits], mix[block])
        return masks


def _fill_masks(spec: ModelSpec, masks: Array, logits: Sequence[Array], mix: Array) -> None:
    """Spleeter's ratio mask. masks: (stems, channels, frames, F), to be filled; the rest is (channels, frames, F)."""
    np.stack(logits, out=masks)
    if spec.has_softmax:
        masks -= masks.max(0)
        np.exp(masks, out=masks)
        masks /= masks.sum(0)
    else:
        np.negative(masks, out=masks)
        with np.errstate(over="ignore"):  # a share of 0
            np.exp(masks, out=masks)
        masks += 1
        np.reciprocal(masks, out=masks)
    masks *= mix
    masks **= spec.separation_exponent  # not by np.power, which is far slower for a square
    total = masks.sum(0)
    total += np.float32(MASK_EPSILON)
    masks += np.float32(MASK_EPSILON / len(masks))
    masks /= total


class _StemNetwork:
    """One stem's network, compiled: most of its kernels are kept transformed."""

    def __init__(self, spec: ModelSpec, weights: UNetWeights, pools: tuple[Any, Any], threads: int) -> None:
        graph, self._output = _unet(spec, weights)
        self._pools = pools  # the network knows them by their addresses alone
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = threads
        options.use_vulkan_compute = False
        for reduced in _REDUCED:  # its own choice may be a precision that is far from Spleeter's numbers
            setattr(options, reduced, False)
        self._net.load_param_mem(graph.text())
        self._net.load_model_mem(b"".join(graph.weights))
        # Not before: kernels that lay in a pool would have to be gone before it is.
        options.blob_allocator, options.workspace_allocator = pools

    def logits(self, magnitudes: Array) -> Array:
        """(channels, T, F), contiguous -> (channels, T, F)."""
        with self._net.create_extractor() as extractor:
            extractor.input(_INPUT, ncnn.Mat(magnitudes))
            failed, logits = extractor.extract(self._output)
        if failed:
            raise MemoryError(f"ncnn could not compute a segment ({failed})")
        return np.asarray(logits)


class _Graph:
    """A graph in ncnn's own text, layer by layer, and its weights in the order in which it reads them."""

    def __init__(self, frames: int, bins: int) -> None:
        self.weights: list[bytes] = []
        self._lines = [f"Input {_INPUT} 0 1 {_INPUT} 0={bins} 1={frames} 2=2"]
        self._blobs = 1

    def text(self) -> str:
        return "\n".join(["7767517", f"{len(self._lines)} {self._blobs}", *self._lines, ""])

    def add(self, kind: str, inputs: Sequence[str], options: str = "", *weights: bytes) -> str:
        """A layer; returns the name of what it gives, which one other layer may take."""
        [given] = self._layer(kind, inputs, options, outputs=1)
        self.weights += weights
        return given

    def split(self, x: str) -> list[str]:
        """Two names of the same, for two layers to take."""
        return self._layer("Split", [x], "", outputs=2)

    def _layer(self, kind: str, inputs: Sequence[str], options: str, *, outputs: int) -> list[str]:
        given = [f"x{self._blobs + number}" for number in range(outputs)]
        self._blobs += outputs
        self._lines.append(f"{kind} {given[0]} {len(inputs)} {outputs} {' '.join([*inputs, *given])} {options}")
        return given


def _unet(spec: ModelSpec, weights: UNetWeights) -> tuple[_Graph, str]:
    """(2, T, F) magnitudes -> (2, T, F) logits, by what name. Skips are the convolutions' raw outputs."""
    graph = _Graph(spec.segment_frames, spec.frequency_bins)
    skips: list[str] = []
    x = _INPUT
    for layer in weights.down:
        is_plain = layer is weights.down[0] or layer is weights.down[-1]
        raw, inner = graph.split(_convolution_down(graph, x, layer, is_plain=is_plain))
        skips.append(raw)
        x = _activate(graph, spec.encoder_activation, _normalize(graph, inner, layer))
    x = skips.pop()  # the innermost normalization and activation lead nowhere, as in Spleeter
    for layer in weights.up:
        is_plain = layer is weights.up[0] or layer is weights.up[-1]
        raw = _convolution_up(graph, x, layer, is_plain=is_plain)
        x = _normalize(graph, _activate(graph, spec.decoder_activation, raw), layer)
        if skips:
            x = graph.add("Concat", [skips.pop(), x])
    return graph, _convolution_dilated(graph, x, weights.last)


def _convolution_down(graph: _Graph, x: str, layer: Layer, *, is_plain: bool) -> str:
    """With a stride of 2."""
    if is_plain:
        return _convolution(graph, x, layer.kernel, layer.bias, _STRIDED_5)
    phases = graph.add("Reorg", [x], "0=2")
    return _convolution(graph, phases, phase_kernel(layer.kernel), layer.bias, _AROUND_3)


def _convolution_up(graph: _Graph, x: str, layer: Layer, *, is_plain: bool) -> str:
    """Transposed, with a stride of 2."""
    if is_plain:
        kernel = layer.kernel.swapaxes(2, 3)
        return _convolution(graph, x, kernel, layer.bias, _STRIDED_5, kind="Deconvolution")
    phases = _convolution(graph, x, subpixel_kernel(layer.kernel), np.repeat(layer.bias, 4), _AROUND_3)
    return graph.add("PixelShuffle", [phases], "0=2")


def _convolution_dilated(graph: _Graph, x: str, layer: Layer) -> str:
    """By 4 with a dilation of 2, from one channel to two. It takes each of the four phases of its input for itself.

    From one channel, ncnn has fast kernels for channels that don't mix alone, and of 5 values: the first here are zero.
    """
    padded = graph.add("Padding", [x], "0=1 1=1 2=1 3=1")  # so that each phase gives the output's of the same place
    phases = graph.add("Concat", graph.split(graph.add("Reorg", [padded], "0=2")))
    kernel = np.zeros((8, 5, 5), np.float32)
    kernel[:, 1:, 1:] = np.repeat(layer.kernel[:, :, 0].transpose(2, 0, 1), 4, axis=0)
    size = f"0=8 1=5 5=1 6={kernel.size} 7=8 4=2 14=2 15=1 16=1"
    stored = b"\0\0\0\0", kernel.tobytes(), np.repeat(layer.bias, 4).tobytes()
    return graph.add("PixelShuffle", [graph.add("ConvolutionDepthWise", [phases], size, *stored)], "0=2")


def _convolution(graph: _Graph, x: str, kernel: Array, bias: Array, options: str, *, kind: str = "Convolution") -> str:
    """kernel: (height, width, in, out). options: ncnn's, by number: dilation 2, stride 3, padding 4 and 14 to 16."""
    size = f"0={kernel.shape[3]} 1={kernel.shape[0]} 5=1 6={kernel.size}"
    stored = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    return graph.add(kind, [x], f"{size} {options}", b"\0\0\0\0", stored.tobytes(), bias.tobytes())


def _activate(graph: _Graph, name: str, x: str) -> str:
    match name:
        case "ReLU":
            return graph.add("ReLU", [x])
        case "LeakyReLU":
            return graph.add("ReLU", [x], "0=0.2")
        case _:
            return graph.add("ELU", [x], "0=1.0")


def _normalize(graph: _Graph, x: str, layer: Layer) -> str:
    assert layer.scale is not None
    assert layer.shift is not None
    return graph.add("Scale", [x], f"0={len(layer.scale)} 1=1", layer.scale.tobytes(), layer.shift.tobytes())
