"""Which networks and transforms the layers can compute; imports no numpy, so that it can be asked beforehand."""

from collections.abc import Sequence

FRAMES, BINS = 128, 128  # multiples of these give tiles of 4 x 4, innermost of 2 x 2
SHORTEST, LONGEST = 128, 1 << 20  # samples of a frame: a butterfly's four inputs are at least a vector each
_MOST_FRAMES, _MOST_BINS, _MOST_FILTERS = 8192, 32768, 4096
_FEWEST_LAYERS, _MOST_LAYERS = 3, 6  # 128 halved six times are one tile


def why_unfit(*, frames: int, bins: int, filters: Sequence[int], frame_length: int) -> str:
    """Why a model of these sizes can't be computed, "" where it can.

    frames, bins: of a network's input. filters: channels behind each strided convolution. frame_length: samples of a
    frame of the transform.
    """
    return why_unfit_network(frames, bins, filters) or why_unfit_transform(frame_length)


def why_unfit_network(frames: int, bins: int, filters: Sequence[int]) -> str:
    """The same of a network alone."""
    sizes = [("T", frames, 1, _MOST_FRAMES), ("F", bins, 1, _MOST_BINS)]
    sizes.append(("the number of layers", len(filters), _FEWEST_LAYERS, _MOST_LAYERS))
    sizes += [("filters", count, 1, _MOST_FILTERS) for count in filters]
    for name, number, least, most in sizes:
        if not least <= number <= most:
            return f"{name} must be a whole number from {least} to {most}, not {number!r}"
    if frames % FRAMES or bins % BINS:
        return f"T must be a multiple of {FRAMES} and F of {BINS}, not {frames} and {bins}"
    return ""


def why_unfit_transform(frame_length: int) -> str:
    """The same of a transform alone."""
    if not SHORTEST <= frame_length <= LONGEST or frame_length & (frame_length - 1):
        return f"a frame's length must be a power of two and at least {SHORTEST}, not {frame_length}"
    return ""
