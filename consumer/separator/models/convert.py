"""A checkpoint without TensorFlow: its tensors, converted once and kept beside it.

`python -m consumer.separator.models.convert MODEL FOLDER` writes them to standard output. Only that process, which
ends at once, loads TensorFlow; `conversion_cache` starts it, confined.

Their file is a line with the format's version, the checkpoint's digest and a checksum of what follows; a line of JSON,
{name: shape}; and the float32 arrays, one after the other, kernels with their channels in front, as OpenVINO wants
them. A file whose first line is not what it has to be is out of date or damaged, and is replaced.
"""

import contextlib
import json
import math
import os
import re
import resource
import sys
import tempfile
import uuid
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from consumer.core.checkpoints import checkpoint_files, unavailable, weights_sha256
from consumer.core.errors import Rejected
from consumer.separator.models.checkpoint import Array, read_tensors
from consumer.separator.models.conversion_cache import conversion_path, conversion_prefix, convert_into

# What a conversion may hold: it is made by a process that has read a stranger's checkpoint.
_TENSOR = re.compile(r"[a-z0-9_]{1,64}/[a-z_]{1,32}")
_MOST_TENSORS, _MOST_SHAPES, _MOST_EXTENT = 4096, 1 << 20, 1 << 16
_LIMITS = {
    resource.RLIMIT_FSIZE: 1 << 30,
    resource.RLIMIT_CPU: 600,
    resource.RLIMIT_AS: 16 << 30,  # TensorFlow reserves much more than it uses
    resource.RLIMIT_CORE: 0,
}
_STORED, _READ = {1: (0,), 4: (3, 2, 0, 1)}, {1: (0,), 4: (2, 3, 1, 0)}  # orders of axes, and back


def load_tensors(name: str, folder: Path, sha256: str) -> dict[str, Array]:
    """The tensors of a model's checkpoint, float32, by the names that Keras gives, without loading TensorFlow here.

    sha256: the checkpoint's digest. Its conversion is kept in the folder; where that can't be written to it is made
    each time. Raises Rejected(MODEL_UNAVAILABLE).
    """
    kept = conversion_path(name, folder)
    with contextlib.suppress(OSError, ValueError):
        return _unpack(kept.read_bytes(), sha256)
    converted = _convert(name, folder)
    try:
        tensors = _unpack(converted, sha256)
    except OutOfDate as error:
        raise unavailable(name, "its checkpoint was replaced while it was being read") from error
    except ValueError as error:
        raise unavailable(name, f"its conversion can't be used ({error})") from error
    with contextlib.suppress(OSError):
        _replace(kept, converted)
    return tensors


def _convert(name: str, folder: Path) -> bytes:
    with tempfile.TemporaryFile() as out:
        convert_into(out, name, folder)
        out.seek(0)
        return out.read()


def _replace(path: Path, data: bytes) -> None:
    """Whole or not at all: other processes may read or write it at this moment."""
    fresh = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _pack(tensors: Mapping[str, Array], sha256: str) -> bytes:
    stored = {name: array.transpose(_STORED[array.ndim]) for name, array in tensors.items()}
    shapes = json.dumps({name: array.shape for name, array in stored.items()}).encode() + b"\n"
    body = b"".join([shapes, *(array.astype("<f4").tobytes() for array in stored.values())])
    return _first_line(sha256, memoryview(body)) + body


class OutOfDate(ValueError):
    """A conversion of other weights, by another version, or damaged since."""


def _unpack(data: bytes, sha256: str) -> dict[str, Array]:
    """Arrays that share the memory of `data`. Raises ValueError where it is not what was packed for this digest."""
    length = len(_first_line(sha256, memoryview(b"")))
    if data[:length] != _first_line(sha256, memoryview(data)[length:]):
        raise OutOfDate("out of date or damaged")
    start = data.find(b"\n", length, length + _MOST_SHAPES) + 1
    if not start:
        raise ValueError("it does not say which tensors it holds")
    shapes = _shapes(data[length:start])
    if start + 4 * sum(map(math.prod, shapes.values())) != len(data):
        raise ValueError("it holds more or less than the tensors that it names")
    tensors = {}
    for name, shape in shapes.items():
        count = math.prod(shape)
        tensors[name] = np.frombuffer(data, "<f4", count, start).reshape(shape).transpose(_READ[len(shape)])
        start += 4 * count
    return tensors


def _shapes(line: bytes) -> dict[str, list[int]]:
    """The tensors that a conversion says it holds, in its order. Raises ValueError."""
    try:
        shapes = json.loads(line)
    except RecursionError as error:
        raise ValueError("no list of tensors") from error
    if not isinstance(shapes, dict) or len(shapes) > _MOST_TENSORS:
        raise ValueError("no list of tensors")
    for name, shape in shapes.items():
        if not _TENSOR.fullmatch(name):
            raise ValueError(f"no tensor's name: {name[:80]!r}")
        if not isinstance(shape, list) or len(shape) not in _READ:
            raise ValueError(f"{name} has no shape of a layer")
        if not all(type(extent) is int and 0 < extent <= _MOST_EXTENT for extent in shape):
            raise ValueError(f"{name} has no shape of a layer")
    return shapes


def _first_line(sha256: str, rest: memoryview) -> bytes:
    return conversion_prefix(sha256) + f"{zlib.crc32(rest):08x}\n".encode()


def main() -> None:
    """The command that the module's text describes; ends with a line on standard error where it fails."""
    name, path = sys.argv[1:]
    folder = Path(path)
    for kind, most in _LIMITS.items():
        resource.setrlimit(kind, (most, most))
    with os.fdopen(os.dup(1), "wb") as output:
        os.dup2(2, 1)  # whatever else prints, prints to standard error
        try:
            sha256 = weights_sha256(checkpoint_files(name, folder)[1])
            output.write(_pack(read_tensors(name, folder), sha256))
        except Rejected as rejected:
            sys.exit(rejected.message.removeprefix(f"model {name}: "))


if __name__ == "__main__":
    main()
