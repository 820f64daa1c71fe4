"""Reads a Spleeter checkpoint into plain arrays that any runtime can build its network from."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from consumer.core.checkpoints import checkpoint_files, unavailable, weights_sha256
from consumer.core.errors import Rejected
from consumer.separator.models.bundle import BadBundle, open_bundle
from consumer.separator.models.spec import ModelSpec

BATCH_NORM_EPSILON = 1e-3  # Keras' default, which Spleeter keeps

_OF_A_NETWORK = re.compile(r"(conv2d|conv2d_transpose|batch_normalization)(_\d+)?/\w+")

_MOST_TENSORS, _MOST_VALUES = 4096, 1 << 28  # of all networks; 5 stems have 155 layers and 49 million values

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A convolution and the batch normalization behind it, as the affine map that it is at inference.

    `kernel` is (height, width, in, out), or (height, width, out, in) for a transposed convolution;
    `bias`, `scale` and `shift` are (out,). The last layer of a network has no normalization.
    """

    kernel: Array
    bias: Array
    scale: Array | None = None
    shift: Array | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetWeights:
    """One stem's network: six strided convolutions down, six transposed ones up, one dilated convolution."""

    down: tuple[Layer, ...]
    up: tuple[Layer, ...]
    last: Layer


def load_checkpoint(spec: ModelSpec) -> tuple[str, tuple[UNetWeights, ...]]:
    """The digest of a model's checkpoint, and the networks in it: one a stem, in the model's order.

    Raises Rejected(MODEL_UNAVAILABLE) where the checkpoint is missing, damaged, of another architecture, or replaced
    while it is read: the digest would be another's.
    """
    _, files = checkpoint_files(spec.name, spec.folder)
    try:
        before = [_identity(path) for path in files]
        sha256 = weights_sha256(files)
        weights = build_weights(spec, read_tensors(spec.name, spec.folder))
        is_same = [_identity(path) for path in files] == before
    except OSError as error:
        raise _unreadable(spec.name, error) from error
    if not is_same:
        raise unavailable(spec.name, "its checkpoint was replaced while it was being read")
    return sha256, weights


def _identity(path: Path) -> tuple[int, ...]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def read_tensors(name: str, folder: Path) -> dict[str, Array]:
    """A checkpoint's tensors, float32, by the names that Keras gives; those of the networks, no optimizer's state.

    name, folder: the model's. Raises Rejected(MODEL_UNAVAILABLE).
    """
    prefix, _ = checkpoint_files(name, folder)
    try:
        with open_bundle(Path(prefix)) as bundle:
            wanted = {tensor: entry for tensor, entry in bundle.entries.items() if _OF_A_NETWORK.fullmatch(tensor)}
            _check_shapes({tensor: entry.shape for tensor, entry in wanted.items()})
            return {tensor: bundle.read(tensor) for tensor in wanted}
    except BadBundle as error:
        raise unavailable(name, f"damaged or unreadable checkpoint ({error})") from error
    except OSError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: OSError) -> Rejected:
    """Without the path, which is nobody's business who reads a dead letter."""
    return unavailable(name, f"damaged or unreadable checkpoint ({error.strerror or type(error).__name__})")


def _check_shapes(shapes: Mapping[str, Sequence[int]]) -> None:
    """Before any value is read: what an index says of sizes is a stranger's word. Raises BadBundle."""
    for name, shape in shapes.items():
        if len(shape) not in (1, 4) or any(extent < 1 for extent in shape):
            raise BadBundle(f"{name} has shape {list(shape)}")
    if len(shapes) > _MOST_TENSORS or sum(map(math.prod, shapes.values())) > _MOST_VALUES:
        raise BadBundle("larger than any of Spleeter's networks")


def build_weights(spec: ModelSpec, tensors: Mapping[str, Array]) -> tuple[UNetWeights, ...]:
    """The networks that the tensors of a checkpoint make up, one a stem, in the model's order.

    Keras numbers layers in the order in which Spleeter makes them: stem after stem, down, up, last.
    Raises Rejected(MODEL_UNAVAILABLE) where they are of another architecture than the specification's.
    """
    layers = _Layers(spec.name, tensors)
    depth = len(spec.filters)
    widths = [2, *spec.filters]
    up_widths = [*reversed(spec.filters[:-1]), 1]
    # A skip connection of the same width is concatenated to what the layer before gives.
    up_incoming = [widths[-1], *(2 * width for width in up_widths[:-1])]
    networks = []
    for stem in range(len(spec.stems)):
        conv, transpose, norm = stem * (depth + 1), stem * depth, stem * depth * 2
        down = tuple(
            layers.normalized("conv2d", conv + i, norm + i, (5, 5, widths[i], widths[i + 1]), widths[i + 1])
            for i in range(depth)
        )
        up = tuple(
            layers.normalized("conv2d_transpose", transpose + i, norm + depth + i, (5, 5, out, incoming), out)
            for i, (incoming, out) in enumerate(zip(up_incoming, up_widths, strict=True))
        )
        networks.append(UNetWeights(down=down, up=up, last=layers.plain("conv2d", conv + depth, (4, 4, 1, 2), 2)))
    return tuple(networks)


class _Layers:
    """Layers out of a checkpoint's tensors, by kind and number. All raise Rejected(MODEL_UNAVAILABLE)."""

    def __init__(self, model: str, tensors: Mapping[str, Array]) -> None:
        self._model, self._tensors = model, tensors

    def plain(self, kind: str, number: int, shape: tuple[int, ...], out: int) -> Layer:
        """A convolution with a kernel of this shape and a bias of `out` values."""
        name = _numbered(kind, number)
        return Layer(kernel=self._get(f"{name}/kernel", shape), bias=self._get(f"{name}/bias", (out,)))

    def normalized(self, kind: str, number: int, norm: int, shape: tuple[int, ...], out: int) -> Layer:
        """The same, with the batch normalization of this number."""
        prefix = _numbered("batch_normalization", norm)
        gamma, beta, mean, variance = (
            self._get(f"{prefix}/{part}", (out,)) for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / np.sqrt(variance + np.float32(BATCH_NORM_EPSILON))
        return replace(self.plain(kind, number, shape, out), scale=scale, shift=beta - mean * scale)

    def _get(self, name: str, shape: tuple[int, ...]) -> Array:
        array = self._tensors.get(name)
        if array is None or array.shape != shape:
            found = "is missing" if array is None else f"has shape {array.shape}, not {shape}"
            raise unavailable(self._model, f"{name} {found}: another architecture than the configuration's")
        if not np.isfinite(array).all():
            raise unavailable(self._model, f"{name} holds values that are no numbers")
        return array


def _numbered(kind: str, number: int) -> str:
    return kind if number == 0 else f"{kind}_{number}"


# A transposed convolution by 5 with a stride of 2, padded as TensorFlow's SAME, is one by 3 to the even and the odd
# samples of its output: for each of the two, which of the three meets which of the kernel's five values.
_UP_TAPS = (((0, 3), (1, 1)), ((0, 4), (1, 2), (2, 0)))


def subpixel_kernel(kernel: Array) -> Array:
    """The kernel of the plain convolution that does a transposed one's work.

    kernel: (5, 5, out, in), of a transposed convolution with a stride of 2. Returns (3, 3, in, out * 4): at each input
    the four outputs of its 2 x 2 square, row by row, of each channel.
    """
    phases = np.zeros((3, 3, kernel.shape[3], kernel.shape[2], 2, 2), np.float32)
    for row, column in np.ndindex(2, 2):
        for above, height in _UP_TAPS[row]:
            for before, width in _UP_TAPS[column]:
                phases[above, before, :, :, row, column] = kernel[height, width].T
    return phases.reshape(3, 3, kernel.shape[3], -1)
