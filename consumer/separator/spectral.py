"""Spleeter's short-time Fourier transform and its inverse, one segment at a time.

Spleeter puts one frame of zeros in front of the track, transforms the whole of it (periodic Hann window,
`pad_end`), cuts the frames into segments that do not depend on each other, and overlap-adds the whole again. Since a
sample is touched by at most frame_length / frame_step frames, the same numbers come out of segments that carry only
frame_length - frame_step samples over: in memory that does not depend on the track's length.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from consumer.separator.models import ModelSpec

Samples = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

# Returns the next n samples of a track, float32 (n, 2), -1..1; fewer only where the track ends.
Read = Callable[[int], Samples]

_SYNTHESIS_GAIN = 2.0 / 3.0  # spleeter.model.EstimatorSpecBuilder.WINDOW_COMPENSATION_FACTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSpectrum:
    """STFT of one segment: complex64 (2, frames, frame_length / 2 + 1), `frames` at most segment_frames.

    With this segment, `final` samples of the padded track need no further frame; the first `skip` are padding.
    """

    stft: Spectrum
    skip: int
    final: int

    @property
    def frames(self) -> int:
        return int(self.stft.shape[1])


def hann(length: int) -> Samples:
    """Periodic Hann window, float32 (length,)."""
    window: Samples = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
    return window


def analyse(spec: ModelSpec, read: Read) -> Iterator[SegmentSpectrum]:
    """The segments of a track that is read to its end."""
    window = hann(spec.frame_length)
    wanted = spec.segment_samples - spec.frame_step + spec.frame_length
    buffer = np.zeros((2, wanted), np.float32)  # channel-major: a frame is contiguous for the transform
    skip = filled = spec.frame_length
    is_ended = False
    while not is_ended or filled > 0:
        if not is_ended:
            block = read(wanted - filled)
            is_ended = len(block) < wanted - filled
            buffer[:, filled : filled + len(block)] = block.T
            filled += len(block)
        buffer[:, filled:] = 0
        frames = min(spec.segment_frames, -(-filled // spec.frame_step))
        views = np.lib.stride_tricks.sliding_window_view(buffer, spec.frame_length, axis=1)
        framed = views[:, :: spec.frame_step][:, :frames] * window
        final = min(spec.segment_samples, filled)
        yield SegmentSpectrum(stft=scipy.fft.rfft(framed, overwrite_x=True), skip=skip, final=final)
        skip = 0
        filled -= final
        buffer[:, :filled] = buffer[:, final : final + filled]


class Synthesis:
    """Inverse transform of masked segments, given in the track's order.

    Holds frame_length - frame_step samples a stem and channel between two calls.
    """

    def __init__(self, spec: ModelSpec, *, averages_high_frequencies: bool) -> None:
        self._spec = spec
        self._averages = averages_high_frequencies
        self._window = hann(spec.frame_length) * np.float32(_SYNTHESIS_GAIN)
        self._tails = np.zeros((len(spec.stems), 2, spec.frame_length - spec.frame_step), np.float32)

    def stem(self, index: int, segment: SegmentSpectrum, mask: Samples) -> Samples:
        """The samples of one stem that this segment makes final, float32 (samples, 2).

        mask: float32 (2, at least segment.frames, frequency_bins). Call once a stem and segment.
        """
        spec, bins = self._spec, self._spec.frequency_bins
        mask = mask[:, : segment.frames]
        product = np.empty_like(segment.stft)
        np.multiply(segment.stft[..., :bins], mask, out=product[..., :bins])
        if self._averages:
            np.multiply(segment.stft[..., bins:], mask.mean(-1, keepdims=True), out=product[..., bins:])
        else:
            product[..., bins:] = 0
        framed = scipy.fft.irfft(product, spec.frame_length, overwrite_x=True)
        framed *= self._window
        hops = spec.frame_length // spec.frame_step
        summed = np.zeros((2, segment.frames + hops - 1, spec.frame_step), np.float32)
        parts = framed.reshape(2, segment.frames, hops, spec.frame_step)
        for hop in range(hops):
            summed[:, hop : hop + segment.frames] += parts[:, :, hop]
        samples = summed.reshape(2, -1)
        tail = self._tails[index]
        samples[:, : tail.shape[1]] += tail
        tail[:] = samples[:, segment.frames * spec.frame_step :]
        return np.ascontiguousarray(samples[:, segment.skip : segment.final].T)
