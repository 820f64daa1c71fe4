"""What a runtime must do, and what all of them share."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from consumer.separator.dsp.network import Network
from consumer.separator.models.spec import ModelSpec

MASK_EPSILON = 1e-10  # spleeter.model.EstimatorSpecBuilder.EPSILON

Array = NDArray[np.float32]


def padded_to_segment(magnitudes: Array, segment_frames: int) -> Array:
    """Magnitudes (channels, frames, bins) as (channels, segment_frames, bins), with zeros behind the given frames."""
    missing = segment_frames - magnitudes.shape[1]
    return np.pad(magnitudes, ((0, 0), (0, missing), (0, 0))) if missing else magnitudes


class Runtime(Protocol):
    """Loads models. name: its own in SeparatorRuntime."""

    name: str

    def load(self, spec: ModelSpec) -> Network:
        """The model with its checkpoint's weights. Raises Rejected(MODEL_UNAVAILABLE) where that can't be."""
        ...
