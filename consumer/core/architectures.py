"""What Spleeter's models are made of: the numbers of its own configuration files (deezer/spleeter, resources/*.json).

A model that is not here has a configuration beside its weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Networks and signal parameters of a model, one network a stem.

    sample_rate_hz: of the sound that it was trained on. frame_length, frame_step: samples of a frame of the STFT, and
    from one frame to the next. segment_frames: frames of one network's input, T. frequency_bins: F, the lowest of the
    frame_length / 2 + 1 bins, which get a mask. mask_extension: what the bins above them get, zeros or average.
    separation_exponent: of the ratio mask. filters: channels behind each strided convolution. encoder_activation:
    LeakyReLU or ELU. decoder_activation: ReLU, LeakyReLU or ELU. has_softmax: stems compete for each bin, instead of a
    sigmoid each.
    """

    sample_rate_hz: int = 44_100
    frame_length: int = 4096
    frame_step: int = 1024
    segment_frames: int = 512
    frequency_bins: int = 1024
    separation_exponent: int = 2
    mask_extension: str = "zeros"
    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    encoder_activation: str = "LeakyReLU"
    decoder_activation: str = "ReLU"
    has_softmax: bool = False


_TWO_STEMS = Architecture()
_FOUR_STEMS = Architecture(encoder_activation="ELU", decoder_activation="ELU")
_FIVE_STEMS = replace(_FOUR_STEMS, has_softmax=True)

_WIDE_BAND_BINS = 1536

ARCHITECTURES: Mapping[str, Architecture] = {
    "2stems": _TWO_STEMS,
    "4stems": _FOUR_STEMS,
    "5stems": _FIVE_STEMS,
    "2stems-16kHz": replace(_TWO_STEMS, frequency_bins=_WIDE_BAND_BINS),
    "4stems-16kHz": replace(_FOUR_STEMS, frequency_bins=_WIDE_BAND_BINS),
    "5stems-16kHz": replace(_FIVE_STEMS, frequency_bins=_WIDE_BAND_BINS),
}
