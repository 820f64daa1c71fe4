"""The separation itself: samples in, stems out, segment by segment, with Spleeter's numbers.

Four stages overlap, each a step ahead of the next: reading and analysis, the networks, synthesis, whoever consumes.
"""

from collections.abc import Generator, Iterator

import numpy as np

from consumer.separator.flow import ahead
from consumer.separator.models import ModelSpec
from consumer.separator.runtime import Array, Network
from consumer.separator.spectral import Read, Samples, SegmentSpectrum, Synthesis, analyse


def separate(network: Network, read: Read, *, high_frequencies: str | None = None) -> Generator[tuple[Samples, ...]]:
    """Separate a stereo track.

    read: gives the next n samples, float32 (n, 2), -1..1, at the model's sample rate; fewer only at the end.
    high_frequencies: zeros or average, above the model's band; None: as the model's configuration says.
    Yields a tuple of float32 (samples, 2) a segment, one array a stem, in the model's order. Joined over the segments
    each has exactly as many samples as were read. Values beyond -1..1 are possible and are kept.
    Memory: a few segments, whatever the track's length.
    """
    spec = network.spec
    averages = (high_frequencies or spec.mask_extension) == "average"
    masked = _masked(network, ahead(analyse(spec, read)))
    return ahead(_synthesised(spec, ahead(masked), averages_high_frequencies=averages))


# Each `del` below lets go of what the next stage has, or had: it would else live until its successor arrives.


def _masked(network: Network, segments: Generator[SegmentSpectrum]) -> Generator[tuple[SegmentSpectrum, Array]]:
    spec = network.spec
    magnitudes = np.zeros((2, spec.segment_frames, spec.frequency_bins), np.float32)
    try:
        for segment in segments:
            np.abs(segment.stft[..., : spec.frequency_bins], out=magnitudes[:, : segment.frames])
            magnitudes[:, segment.frames :] = 0
            yield segment, network.masks(magnitudes)
            del segment
    finally:
        segments.close()


def _synthesised(
    spec: ModelSpec, masked: Generator[tuple[SegmentSpectrum, Array]], *, averages_high_frequencies: bool
) -> Iterator[tuple[Samples, ...]]:
    synthesis = Synthesis(spec, averages_high_frequencies=averages_high_frequencies)
    try:
        for segment, masks in masked:
            stems = tuple(synthesis.stem(i, segment, mask) for i, mask in enumerate(masks))
            del segment, masks
            yield stems
            del stems
    finally:
        masked.close()
