"""Spleeter's short-time Fourier transform and its inverse, one segment at a time.

Spleeter puts one frame of zeros in front of the track, transforms the whole of it (periodic Hann window,
`pad_end`), cuts the frames into segments that do not depend on each other, and overlap-adds the whole again. Since a
sample is touched by at most frame_length / frame_step frames, the same numbers come out of segments that carry only
frame_length - frame_step samples over: in memory that does not depend on the track's length.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consumer.separator.models.spec import ModelSpec

Array = NDArray[np.float32]
Samples = Array
Spectrum = NDArray[np.complex64]

# Transforms windowed frames, of which each begins frame_step samples behind the one before.
# samples: float32 ((frames - 1) * frame_step + frame_length), contiguous. Written to: stft, complex64 (frames, bins),
# the lowest bins; magnitudes: float32 (frames, frequency_bins), |stft| of the model's band. Both contiguous.
Transform = Callable[[Samples, Spectrum, Array], None]

# Masks frames and adds them, transformed back and times `synthesis_window`, to the samples that they reach.
# stft: complex64 (frames, bins), the lowest bins; mask: float32 (frames, bins); samples: float32
# ((frames - 1) * frame_step + frame_length). All contiguous.
OverlapAdd = Callable[[Spectrum, Array, Samples], None]

# Returns the next n samples of a track, float32 (n, 2), -1..1; fewer only where the track ends.
Read = Callable[[int], Samples]

_SYNTHESIS_GAIN = 2.0 / 3.0  # spleeter.model.EstimatorSpecBuilder.WINDOW_COMPENSATION_FACTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSpectrum:
    """One segment's STFT.

    stft: complex64 (2, frames, bins), `frames` at most segment_frames. magnitudes: float32 (2, frames, frequency_bins),
    |stft| of the model's band. final: so many samples of the padded track need
    no frame of a later segment. skip: so many of them, the first, are padding.
    """

    stft: Spectrum
    magnitudes: Array
    skip: int
    final: int

    @property
    def frames(self) -> int:
        """How many there are."""
        return int(self.stft.shape[1])


def hann(length: int) -> Samples:
    """Periodic Hann window, float32 (length,)."""
    window: Samples = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
    return window


def synthesis_window(spec: ModelSpec) -> Samples:
    """float32 (frame_length,): with it, frames that overlap add up to what they were taken from."""
    return hann(spec.frame_length) * np.float32(_SYNTHESIS_GAIN)


def analyse(spec: ModelSpec, transform: Transform, read: Read, *, bins: int) -> Iterator[SegmentSpectrum]:
    """The spectra of a track's segments, in order, each with the `bins` lowest of its frame_length / 2 + 1 bins.

    Reads the track to its end; what `read` raises is raised here.
    """
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
        stft = np.empty((2, frames, bins), np.complex64)
        magnitudes = np.empty((2, frames, spec.frequency_bins), np.float32)
        taken = (frames - 1) * spec.frame_step + spec.frame_length
        for channel, samples in enumerate(buffer[:, :taken]):
            transform(samples, stft[channel], magnitudes[channel])
        final = min(spec.segment_samples, filled)
        yield SegmentSpectrum(stft=stft, magnitudes=magnitudes, skip=skip, final=final)
        skip = 0
        filled -= final
        buffer[:, :filled] = buffer[:, final : final + filled]


class Synthesis:
    """Inverse transform of masked segments, given in the track's order.

    Bins above the model's band are masked by the average of its masks; those that a segment lacks are zeros.
    Holds frame_length - frame_step samples a stem and channel between two calls.
    """

    def __init__(self, spec: ModelSpec, overlap_add: OverlapAdd) -> None:
        self._spec, self._overlap_add = spec, overlap_add
        carried = spec.frame_length - spec.frame_step
        self._tails = np.zeros((len(spec.stems), 2, carried), np.float32)
        self._samples = np.empty(spec.segment_samples + carried, np.float32)

    def stem(self, index: int, segment: SegmentSpectrum, mask: Array) -> Samples:
        """The samples of one stem that this segment makes final, float32 (samples, 2).

        mask: float32 (2, segment.frames, frequency_bins), contiguous. Call once a stem and segment.
        """
        stem = np.empty((segment.frames * self._spec.frame_step, 2), np.float32)
        for channel, tail in enumerate(self._tails[index]):
            stem[:, channel] = self._final(segment.stft[channel], mask[channel], tail)
        return stem[segment.skip : segment.final]

    def _final(self, stft: Spectrum, mask: Array, tail: Samples) -> Samples:
        """One channel's samples that no later frame reaches, float32 (frames * frame_step,); good until the next call.

        tail: float32 (frame_length - frame_step,), what the frames before reach into it. It is replaced by what these
        reach behind it.
        """
        final = len(stft) * self._spec.frame_step
        samples = self._samples[: final + len(tail)]
        samples[: len(tail)] = tail
        samples[len(tail) :] = 0
        missing = stft.shape[1] - mask.shape[1]
        if missing:
            mask = np.hstack([mask, np.repeat(mask.mean(-1, keepdims=True), missing, axis=1)])
        self._overlap_add(stft, mask, samples)
        tail[:] = samples[final:]
        return samples[:final]
