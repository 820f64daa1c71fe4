"""The separation itself: samples in, stems out, segment by segment, with Spleeter's numbers.

Four stages overlap, each a step ahead of the next: reading and analysis, the networks, synthesis, whoever consumes.
"""

from collections.abc import Generator, Iterator
from functools import partial

from consumer.separator.dsp.concurrency import parallel_map, prefetch
from consumer.separator.dsp.network import Network
from consumer.separator.dsp.spectral import Array, Read, Samples, SegmentSpectrum, Synthesis, analyse


def separate(network: Network, read: Read, *, high_frequencies: str | None = None) -> Generator[tuple[Samples, ...]]:
    """Separate a stereo track.

    read: gives the next n samples, float32 (n, 2), -1..1, at the model's sample rate; fewer only at the end.
    high_frequencies: zeros or average, above the model's band; None: as the model's configuration says.
    Yields a tuple of float32 (samples, 2) a segment, one array a stem, in the model's order. Joined over the segments
    each has exactly as many samples as were read. Values beyond -1..1 are possible and are kept.
    Memory: a few segments, whatever the track's length. Raises what `read` and the network raise; closing it ends its
    threads.
    """
    spec = network.spec
    averages = (high_frequencies or spec.mask_extension) == "average"
    bins = spec.frame_length // 2 + 1 if averages else spec.frequency_bins  # nobody needs those that become zeros
    spectra = prefetch(analyse(spec, network.transform, read, bins=bins))
    masked = prefetch(parallel_map(partial(_masked, network), spectra, network.segments_at_once))
    return prefetch(_synthesised(network, masked))


def _masked(network: Network, segment: SegmentSpectrum) -> tuple[SegmentSpectrum, Array]:
    return segment, network.masks(segment.magnitudes)


def _synthesised(network: Network, masked: Generator[tuple[SegmentSpectrum, Array]]) -> Iterator[tuple[Samples, ...]]:
    synthesis = Synthesis(network.spec, network.overlap_add)
    try:
        for segment, masks in masked:
            stems = tuple(synthesis.stem(i, segment, mask) for i, mask in enumerate(masks))
            del segment, masks  # what the next stage has, or had, would else live until its successor arrives
            yield stems
            del stems
    finally:
        masked.close()
