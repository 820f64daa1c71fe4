"""What a runtime must do: magnitudes to masks, masked spectra to samples. The rest is the engine's."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from consumer.separator.dsp.spectral import OverlapAdd
from consumer.separator.models.spec import ModelSpec

MASK_EPSILON = 1e-10  # spleeter.model.EstimatorSpecBuilder.EPSILON

Array = NDArray[np.float32]


class Network(Protocol):
    """A model, loaded and warm."""

    spec: ModelSpec
    weights_sha256: str
    segments_at_once: int  # that is how many threads best call `masks` at the same time
    overlap_add: OverlapAdd

    def masks(self, magnitudes: Array) -> Array:
        """Masks of one segment.

        magnitudes: float32 (channels, frames, frequency_bins), |STFT|, contiguous; frames at most segment_frames, fewer
        only where the track ends: the networks then see silence behind them.
        Returns float32 (stems, channels, frames, frequency_bins), each 0..1, summing to 1 over the stems.
        """
        ...


def padded_to_segment(magnitudes: Array, segment_frames: int) -> Array:
    """(channels, segment_frames, bins), with zeros behind the frames that there are."""
    missing = segment_frames - magnitudes.shape[1]
    return np.pad(magnitudes, ((0, 0), (0, missing), (0, 0))) if missing else magnitudes


class Runtime(Protocol):
    """Loads models."""

    name: str

    def load(self, spec: ModelSpec) -> Network:
        """Raises Rejected(MODEL_UNAVAILABLE)."""
        ...
