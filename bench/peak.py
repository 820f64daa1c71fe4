"""The least time that this machine could take for the networks: their multiplications, in one dense matrix product.

What convolves directly can't be faster. TensorFlow's product is the fastest that is at hand.
"""

import time

from consumer.separator.models.spec import ModelSpec

_SIDE, _PRODUCTS = 2048, 20


def segment_flop(spec: ModelSpec) -> float:
    """Floating-point operations of one segment's networks, both channels, a multiplication and an addition each."""
    widths = [2, *spec.filters]
    positions = [spec.segment_frames * spec.frequency_bins // 4**depth for depth in range(len(widths))]
    down = sum(25 * widths[i] * widths[i + 1] * positions[i + 1] for i in range(len(spec.filters)))
    ups = [*reversed(spec.filters[:-1]), 1]
    incoming = [spec.filters[-1], *(2 * width for width in ups[:-1])]
    up = sum(25 * before * after * at for before, after, at in zip(incoming, ups, reversed(positions[1:]), strict=True))
    last = 16 * 2 * positions[0]
    return 2.0 * len(spec.stems) * float(down + up + last)


def flop_per_s() -> float:
    """Of the best of some products of large float32 matrices, on all cores."""
    import tensorflow as tf

    matrix = tf.random.normal((_SIDE, _SIDE))
    seconds = []
    for _ in range(_PRODUCTS):
        started = time.monotonic()
        tf.matmul(matrix, matrix).numpy()
        seconds.append(time.monotonic() - started)
    return 2 * _SIDE**3 / min(seconds)
