"""Samples as bytes, in every way that plain containers hold them."""

from collections.abc import Callable

import numpy as np

from harness.corpus.signal import Samples
from harness.corpus.specimen import COMPANDED, Precision, exact


def integers(samples: Samples, bits: int, *, container: int = 0, end: str = "<") -> bytes:
    """Signed integers of `bits`, at the upper end of containers of so many bits (a multiple of 8)."""
    container = container or bits
    values = np.rint(samples * 2 ** (bits - 1)).astype(np.int64) << (container - bits)
    octets = values.astype("<i8").reshape(-1, 1).view(np.uint8)[:, : container // 8]
    return bytes((octets if end == "<" else octets[:, ::-1]).tobytes())


def unsigned(samples: Samples) -> bytes:
    """Eight bits around 128."""
    return bytes((np.rint(samples * 128) + 128).astype(np.uint8).tobytes())


def floats(samples: Samples, bits: int, *, end: str = "<") -> bytes:
    return samples.astype(f"{end}f{bits // 8}").tobytes()


def mu_law(samples: Samples) -> bytes:
    """ITU-T G.711, by its table of segments."""
    magnitude = np.minimum(np.abs(np.rint(samples * 8192)), 8158).astype(np.int64) + 33
    segment = np.floor(np.log2(magnitude)).astype(np.int64) - 5
    code = segment << 4 | (magnitude >> (segment + 1)) & 15
    return bytes((~np.where(samples < 0, code | 128, code) & 255).astype(np.uint8).tobytes())


def a_law(samples: Samples) -> bytes:
    """ITU-T G.711, by its table of segments."""
    magnitude = np.minimum(np.abs(np.rint(samples * 4096)), 4095).astype(np.int64)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int64) - 4, 0)
    code = segment << 4 | (magnitude >> np.maximum(segment, 1)) & 15
    return bytes((np.where(samples < 0, code, code | 128) ^ 0x55).astype(np.uint8).tobytes())


# name -> how samples are packed in big or little ends, bits a sample, and how exact that is
Packing = tuple[Callable[[Samples, str], bytes], int, Precision]
PACKINGS: dict[str, Packing] = {
    "s8": (lambda samples, end: integers(samples, 8), 8, exact(8)),
    "u8": (lambda samples, end: unsigned(samples), 8, exact(8)),
    "s16": (lambda samples, end: integers(samples, 16, end=end), 16, exact(16)),
    "s24": (lambda samples, end: integers(samples, 24, end=end), 24, exact(24)),
    "s32": (lambda samples, end: integers(samples, 32, end=end), 32, exact(32)),
    "f32": (lambda samples, end: floats(samples, 32, end=end), 32, exact(24)),
    "f64": (lambda samples, end: floats(samples, 64, end=end), 64, exact(24)),
    "ulaw": (lambda samples, end: mu_law(samples), 8, COMPANDED),
    "alaw": (lambda samples, end: a_law(samples), 8, COMPANDED),
}
