"""What a runtime must do: turn magnitudes into masks. Everything else of the algorithm is the engine's."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from consumer.separator.models import ModelSpec

MASK_EPSILON = 1e-10  # spleeter.model.EstimatorSpecBuilder.EPSILON

Array = NDArray[np.float32]


class Network(Protocol):
    """A model, loaded and warm."""

    spec: ModelSpec
    weights_sha256: str
    segments_at_once: int  # that is how many threads best call `masks` at the same time

    def masks(self, magnitudes: Array) -> Array:
        """Masks of one segment.

        magnitudes: float32 (channels, segment_frames, frequency_bins), |STFT|, zeros where the track has ended.
        Returns float32 (stems, channels, segment_frames, frequency_bins), each 0..1, summing to 1 over the stems.
        """
        ...


class Runtime(Protocol):
    """Loads models."""

    name: str

    def load(self, spec: ModelSpec) -> Network:
        """Raises Rejected(MODEL_UNAVAILABLE)."""
        ...
