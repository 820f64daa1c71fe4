"""CRC-32C as TensorFlow stores it."""

from typing import Any

import google_crc32c

_MASK = 0xA282EAD8


def masked_crc32c(data: Any) -> int:
    """Of bytes, or of an array that lies in one piece: turned, and moved by a constant, so that the checksum of bytes
    that hold checksums is none of theirs.
    """
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF
