"""Spleeter's networks on TensorFlow, as one frozen graph in one kept session; no tf.estimator, no Keras.

The graph is Spleeter's `unet` (spleeter/model/functions/unet.py) and mask formula (spleeter/model/__init__.py).
"""

import os
from collections.abc import Callable
from typing import Any

# oneDNN is off by default on processors without AVX-512; with it the networks run about twice as fast there.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from consumer.separator.dsp.by_scipy import WeightingByScipy, overlap_add_by_scipy, transform_by_scipy
from consumer.separator.dsp.weighting import Weighting
from consumer.separator.malloc import give_back_memory
from consumer.separator.models.checkpoint import Layer, UNetWeights, load_checkpoint, subpixel_kernel
from consumer.separator.models.spec import ModelSpec
from consumer.separator.runtimes.runtime import MASK_EPSILON, Array, padded_to_segment

_ACTIVATIONS = {"ReLU": tf.nn.relu, "LeakyReLU": lambda x: tf.nn.leaky_relu(x, 0.2), "ELU": tf.nn.elu}


class TensorFlowRuntime:
    """See runtime.Runtime."""

    name = "tensorflow"

    def load(self, spec: ModelSpec) -> "TensorFlowNetwork":
        """See runtime.Runtime."""
        return TensorFlowNetwork(spec)


class TensorFlowNetwork:
    """See runtime.Network."""

    segments_at_once = 1  # it divides each among all cores

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.transform, self.overlap_add = transform_by_scipy(spec), overlap_add_by_scipy(spec)
        self.weights_sha256, weights = load_checkpoint(spec)
        kernels = _Kernels()
        with tf.Graph().as_default() as graph:
            self._magnitudes = tf.compat.v1.placeholder(
                tf.float32, (2, spec.segment_frames, spec.frequency_bins), "magnitudes"
            )
            self._masks = _masks(spec, weights, self._magnitudes, kernels.hold)
        self._session = tf.compat.v1.Session(graph=graph, config=_config())
        kernels.fill(self._session)
        # The first run picks and compiles kernels; it belongs to loading, not to the first job.
        self.masks(np.zeros(self._magnitudes.shape, np.float32))
        give_back_memory()

    def new_weighting(self, rate_hz: int) -> Weighting:
        """See runtime.Network."""
        return WeightingByScipy(rate_hz)

    def masks(self, magnitudes: Array) -> Array:
        """See runtime.Network."""
        segment = padded_to_segment(magnitudes, self.spec.segment_frames)
        result: Array = self._session.run(self._masks, {self._magnitudes: segment})
        return result[:, :, : magnitudes.shape[1]]


class _Kernels:
    """The kernels of a graph as variables.

    As constants, TensorFlow copies each of them five times over while it loads and keeps most of that: 4 stems take
    1.5 GB instead of 0.9, and twice as long to load. A segment takes 4 % longer for it, since the layout of constants
    would be changed once and for all.
    """

    def __init__(self) -> None:
        self._held: list[tuple[Any, Any, Array]] = []

    def hold(self, kernel: Array) -> Any:
        """A tensor in the default graph, whose value comes with `fill`."""
        value = tf.compat.v1.placeholder(tf.float32, kernel.shape)
        variable = tf.compat.v1.Variable(value, trainable=False, use_resource=True)
        self._held.append((variable.initializer, value, kernel))
        return variable.read_value()

    def fill(self, session: Any) -> None:
        """Set the held kernels' values in the session, once."""
        for initializer, value, kernel in self._held:
            session.run(initializer, {value: kernel})
        self._held.clear()


def _config() -> Any:
    """No graph optimizer: it would take its time at the start, and the networks run no faster for it."""
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config


def _masks(spec: ModelSpec, weights: tuple[UNetWeights, ...], magnitudes: Any, hold: Callable[[Array], Any]) -> Any:
    """(channels, T, F) -> (stems, channels, T, F), by Spleeter's ratio mask. hold: makes a kernel a tensor."""
    mix = tf.transpose(magnitudes, (1, 2, 0))[tf.newaxis]  # the networks want (batch, T, F, channels)
    logits = [_unet(spec, network, mix, hold) for network in weights]
    shares = tf.unstack(tf.nn.softmax(tf.stack(logits), 0)) if spec.has_softmax else [tf.sigmoid(x) for x in logits]
    powers = [_power(share * mix, spec.separation_exponent) for share in shares]
    total = tf.add_n(powers) + MASK_EPSILON
    masks = tf.concat([(power + MASK_EPSILON / len(powers)) / total for power in powers], 0)
    return tf.transpose(masks, (0, 3, 1, 2))


def _unet(spec: ModelSpec, weights: UNetWeights, mix: Any, hold: Callable[[Array], Any]) -> Any:
    """(1, T, F, 2) magnitudes -> (1, T, F, 2) logits. Skips are the convolutions' raw outputs."""
    activate_down = _ACTIVATIONS[spec.encoder_activation]
    activate_up = _ACTIVATIONS[spec.decoder_activation]
    skips: list[Any] = []
    x = mix
    for layer in weights.down:
        raw = tf.nn.bias_add(tf.nn.conv2d(x, hold(layer.kernel), 2, "SAME"), layer.bias)
        skips.append(raw)
        x = activate_down(_normalize(raw, layer))
    x = skips.pop()  # the innermost normalization and activation lead nowhere, as in Spleeter
    for layer in weights.up:
        raw = tf.nn.bias_add(_transposed_convolution(x, layer, hold), layer.bias)
        x = _normalize(activate_up(raw), layer)
        if skips:
            x = tf.concat((skips.pop(), x), -1)
    return tf.nn.bias_add(tf.nn.conv2d(x, weights.last.kernel, 1, "SAME", dilations=2), weights.last.bias)


def _power(x: Any, exponent: int) -> Any:
    """Spleeter's exponent is 2, for which a square gives the same numbers in a twentieth of a power's time."""
    return tf.square(x) if exponent == 2 else x**exponent


def _transposed_convolution(x: Any, layer: Layer, hold: Callable[[Array], Any]) -> Any:
    """With a stride of 2. To one channel alone, as at the end, a plain convolution takes a third of the time."""
    _, height, width, _ = x.shape
    channels = layer.kernel.shape[2]
    if channels > 1:
        return tf.nn.conv2d_transpose(x, hold(layer.kernel), (1, 2 * height, 2 * width, channels), 2, "SAME")
    squares = tf.reshape(tf.nn.conv2d(x, subpixel_kernel(layer.kernel), 1, "SAME"), (height, width, 2, 2))
    return tf.reshape(tf.transpose(squares, (0, 2, 1, 3)), (1, 2 * height, 2 * width, 1))


def _normalize(x: Any, layer: Layer) -> Any:
    """x * scale + shift, in one pass over memory: 3 % of the networks' time less than in two."""
    assert layer.scale is not None
    still = {"mean": np.zeros_like(layer.scale), "variance": np.ones_like(layer.scale), "epsilon": 0.0}
    normalized, _, _ = tf.compat.v1.nn.fused_batch_norm(x, layer.scale, layer.shift, **still, is_training=False)
    return normalized
