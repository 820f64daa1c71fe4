"""What the engine needs of a loaded model: samples to spectra, magnitudes to masks, masked spectra to samples.

Runtimes provide it.
"""

from typing import Protocol

from consumer.separator.dsp.spectral import Array, OverlapAdd, Transform
from consumer.separator.dsp.weighting import Weighting
from consumer.separator.models.spec import ModelSpec


class Network(Protocol):
    """A model, loaded and warm.

    weights_sha256: its checkpoint's digest, lower-case hex. segments_at_once: how many threads may call `masks` at the
    same time, and best do. transform, overlap_add: from samples to spectra, and from masked spectra back to samples,
    each for one thread at a time.
    """

    spec: ModelSpec
    weights_sha256: str
    segments_at_once: int
    transform: Transform
    overlap_add: OverlapAdd

    def masks(self, magnitudes: Array) -> Array:
        """Masks of one segment.

        magnitudes: float32 (channels, frames, frequency_bins), |STFT|, contiguous; frames at most segment_frames, fewer
        only where the track ends: the networks then see silence behind them.
        Returns float32 (stems, channels, frames, frequency_bins), each 0..1, summing to 1 over the stems.
        """
        ...

    def new_weighting(self, rate_hz: int) -> Weighting:
        """What one stem's loudness is measured with. rate_hz: of its samples, a multiple of 10."""
        ...
