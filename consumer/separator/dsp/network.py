"""What the engine needs of a loaded model: magnitudes to masks, masked spectra to samples. Runtimes provide it."""

from typing import Protocol

from consumer.separator.dsp.spectral import Array, OverlapAdd
from consumer.separator.models.spec import ModelSpec


class Network(Protocol):
    """A model, loaded and warm.

    weights_sha256: its checkpoint's digest, lower-case hex. segments_at_once: how many threads may call `masks` at the
    same time, and best do. overlap_add: the way back from masked spectra to samples, for one thread at a time.
    """

    spec: ModelSpec
    weights_sha256: str
    segments_at_once: int
    overlap_add: OverlapAdd

    def masks(self, magnitudes: Array) -> Array:
        """Masks of one segment.

        magnitudes: float32 (channels, frames, frequency_bins), |STFT|, contiguous; frames at most segment_frames, fewer
        only where the track ends: the networks then see silence behind them.
        Returns float32 (stems, channels, frames, frequency_bins), each 0..1, summing to 1 over the stems.
        """
        ...
