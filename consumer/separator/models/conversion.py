"""A checkpoint's conversion as a file: safetensors, whose arrays are mapped, not read.

Processes that map the same file share its pages, and the kernel takes them back where memory is short. What is mapped
changes with its file, so a conversion is only ever replaced whole: who may write to MODEL_PATH is trusted with it.
"""

import json
import math
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import google_crc32c
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from consumer.separator.models.conversion_cache import checksum_text, conversion_prefix

_ALIGNMENT = 64  # bytes: of a line of the cache, and of the widest vector
_MOST_HEADER_BYTES = 1 << 20  # of 5 stems it has 30 kB

Array = NDArray[np.float32]


class OutOfDate(ValueError):
    """A conversion of other weights or for other kernels, or damaged since."""


def write_conversion(out: BinaryIO, sha256: str, facts: Mapping[str, str], arrays: Mapping[str, Array]) -> None:
    """Write the conversion of the checkpoint with this digest. facts: what else a reader has to find in it.

    Arrays lie in the order of their sizes, so that those of a vector's multiple are aligned to it.
    """
    ordered = dict(sorted(arrays.items(), key=lambda item: -item[1].nbytes))
    listed, begin = "", 0
    for name, array in ordered.items():
        end = begin + array.nbytes
        listed += f",{json.dumps(name)}:" + json.dumps(
            {"dtype": "F32", "shape": array.shape, "data_offsets": [begin, end]}, separators=(",", ":")
        )
        begin = end
    told = "".join(f",{json.dumps(key)}:{json.dumps(value)}" for key, value in facts.items())
    prefix, rest = conversion_prefix(sha256), f'"{told}}}{listed}}}'.encode()
    missing = -(8 + len(prefix) + 8 + len(rest)) % _ALIGNMENT
    rest += b" " * missing
    length = (len(prefix) + 8 + len(rest)).to_bytes(8, "little")
    crc = google_crc32c.extend(google_crc32c.value(length), rest)
    for array in ordered.values():
        crc = google_crc32c.extend(crc, _bytes_of(array))
    out.write(length + prefix + checksum_text(crc) + rest)
    for array in ordered.values():
        out.write(_bytes_of(array).data)


def map_conversion(path: Path, sha256: str, facts: Mapping[str, str]) -> dict[str, Array]:
    """The arrays of a conversion of the checkpoint with this digest, and of these facts; they can't be written to.

    Raises OutOfDate where it is another one or damaged, OSError where it can't be read.
    """
    if not path.is_file():
        raise OutOfDate("there is none")
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise OutOfDate("empty") from error
    whole = np.frombuffer(mapped, np.uint8)
    prefix = conversion_prefix(sha256)
    length, behind = int.from_bytes(mapped[:8], "little"), 8 + len(prefix)
    if mapped[8:behind] != prefix or not behind < length <= _MOST_HEADER_BYTES:
        raise OutOfDate("of another checkpoint, or for other kernels")
    crc = google_crc32c.extend(google_crc32c.value(mapped[:8]), whole[behind + 8 :])
    if mapped[behind : behind + 8] != checksum_text(crc):
        raise OutOfDate("damaged")
    return _arrays(path, facts, mapped, 8 + length)


def _arrays(path: Path, facts: Mapping[str, str], mapped: mmap.mmap, begin: int) -> dict[str, Array]:
    """Views of the mapping, by what the header says, which the format's library reads and holds against its size."""
    arrays: dict[str, Array] = {}
    try:
        with safe_open(path, framework="np") as header:
            told = header.metadata() or {}
            if any(told.get(key) != value for key, value in facts.items()):
                raise OutOfDate("of another architecture")
            for name in header.offset_keys():
                each = header.get_slice(name)
                shape, count = tuple(each.get_shape()), math.prod(each.get_shape())
                if each.get_dtype() != "F32":
                    raise OutOfDate(f"{name[:80]} is not float32")
                arrays[name] = np.frombuffer(mapped, "<f4", count, begin).reshape(shape)
                begin += 4 * count
    except (SafetensorError, ValueError) as error:
        raise OutOfDate(f"no safetensors file ({error})") from error
    if begin != len(mapped):
        raise OutOfDate("it was replaced while it was being read")
    return arrays


def _bytes_of(array: Array) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array, "<f4").reshape(-1).view(np.uint8)
