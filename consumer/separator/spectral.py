"""Spleeter's short-time Fourier transform and its inverse, one segment at a time.

Spleeter puts one frame of zeros in front of the track, transforms the whole of it (periodic Hann window,
`pad_end`), cuts the frames into segments that do not depend on each other, and overlap-adds the whole again. Since a
sample is touched by at most frame_length / frame_step frames, the same numbers come out of segments that carry only
frame_length - frame_step samples over: in memory that does not depend on the track's length.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from consumer.separator.models import ModelSpec

Samples = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

# Returns the next n samples of a track, float32 (n, 2), -1..1; fewer only where the track ends.
Read = Callable[[int], Samples]

# Frames that are transformed at a time: so many stay in a core's cache, which takes a third less time than all at once.
_BLOCK_FRAMES = 32
_SYNTHESIS_GAIN = 2.0 / 3.0  # spleeter.model.EstimatorSpecBuilder.WINDOW_COMPENSATION_FACTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSpectrum:
    """STFT of one segment: complex64 (2, frames, bins), `frames` at most segment_frames.

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


def analyse(spec: ModelSpec, read: Read, *, bins: int) -> Iterator[SegmentSpectrum]:
    """The segments of a track that is read to its end, each with the `bins` lowest of its frame_length / 2 + 1 bins."""
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
        views = np.lib.stride_tricks.sliding_window_view(buffer, spec.frame_length, axis=1)[:, :: spec.frame_step]
        stft = np.empty((2, frames, bins), np.complex64)
        for channel, block in product((0, 1), _blocks(frames)):
            stft[channel, block] = scipy.fft.rfft(views[channel, block] * window, overwrite_x=True)[:, :bins]
        final = min(spec.segment_samples, filled)
        yield SegmentSpectrum(stft=stft, skip=skip, final=final)
        skip = 0
        filled -= final
        buffer[:, :filled] = buffer[:, final : final + filled]


def _blocks(frames: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK_FRAMES, frames)) for start in range(0, frames, _BLOCK_FRAMES)]


class Synthesis:
    """Inverse transform of masked segments, given in the track's order.

    Bins above the model's band are masked by the average of its masks; those that a segment lacks are zeros.
    Holds frame_length - frame_step samples a stem and channel between two calls.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._window = hann(spec.frame_length) * np.float32(_SYNTHESIS_GAIN)
        self._hops = spec.frame_length // spec.frame_step
        self._tails = np.zeros((len(spec.stems), 2, self._hops - 1, spec.frame_step), np.float32)
        self._masked = np.zeros((_BLOCK_FRAMES, spec.frame_length // 2 + 1), np.complex64)

    def stem(self, index: int, segment: SegmentSpectrum, mask: Samples) -> Samples:
        """The samples of one stem that this segment makes final, float32 (samples, 2).

        mask: float32 (2, segment.frames, frequency_bins). Call once a stem and segment.
        """
        samples = np.empty((segment.frames, self._spec.frame_step, 2), np.float32)
        for channel, tail in enumerate(self._tails[index]):
            for block in _blocks(segment.frames):
                summed = self._overlapped(segment.stft[channel, block], mask[channel, block], tail)
                samples[block, :, channel] = summed
        return samples.reshape(-1, 2)[segment.skip : segment.final]

    def _overlapped(self, stft: Spectrum, mask: Samples, tail: Samples) -> Samples:
        """One block's hops, float32 (frames, frame_step), with what the frames before reach into them.

        tail: float32 (hops - 1, frame_step), what they reach behind the block is left in it.
        """
        bins, frames = self._spec.frequency_bins, len(stft)
        masked = self._masked[:frames]
        np.multiply(stft[:, :bins], mask, out=masked[:, :bins])
        if stft.shape[1] > bins:
            np.multiply(stft[:, bins:], mask.mean(-1, keepdims=True), out=masked[:, bins:])
        framed = scipy.fft.irfft(masked, self._spec.frame_length)
        framed *= self._window
        parts = framed.reshape(frames, self._hops, self._spec.frame_step)
        summed = np.zeros((frames + self._hops - 1, self._spec.frame_step), np.float32)
        summed[: len(tail)] = tail
        for hop in range(self._hops):
            summed[hop : hop + frames] += parts[:, hop]
        tail[:] = summed[frames:]
        return summed[:frames]
