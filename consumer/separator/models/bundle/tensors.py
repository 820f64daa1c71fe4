"""A bundle's tensors: its index is read at once, and of the data what is asked for."""

import math
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from consumer.separator.models.bundle.checksum import masked_crc32c
from consumer.separator.models.bundle.entries import HEADER_KEY, Entry, parse_entry, parse_header
from consumer.separator.models.bundle.errors import BadBundle
from consumer.separator.models.bundle.table import read_table

MOST_INDEX_BYTES = 16 << 20
_FLOAT32 = 1
# Of TensorFlow's types.proto, for people.
_TYPES = {2: "float64", 3: "int32", 7: "string", 9: "int64", 14: "bfloat16", 19: "float16"}

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shard:
    """An open file of the data, and its size in bytes."""

    descriptor: int
    size: int


class Bundle:
    """An open bundle. entries: what the index says of each tensor, by name, in the names' order."""

    def __init__(self, prefix: Path, shards: int, entries: Mapping[str, Entry], files: ExitStack) -> None:
        self.entries = entries
        self._prefix, self._count, self._files = prefix, shards, files
        self._shards: dict[int, _Shard] = {}

    def read(self, name: str) -> Array:
        """A tensor's values, float32 in its shape, held against its checksum.

        Raises BadBundle where it is of another type or damaged, OSError where its file can't be read.
        """
        entry = self.entries[name]
        if entry.dtype != _FLOAT32:
            raise BadBundle(f"{name} is of the type {_TYPES.get(entry.dtype, entry.dtype)}, not float32")
        if entry.is_sliced:
            raise BadBundle(f"{name} lies in slices, which are not read here")
        if entry.size_bytes != 4 * math.prod(entry.shape):
            raise BadBundle(f"{name} has {entry.size_bytes} bytes, which is not what its shape takes")
        shard = self._shard(entry.shard)
        if entry.offset + entry.size_bytes > shard.size:
            raise BadBundle(f"{name} lies beyond the end of its data, which is cut short")
        values = np.empty(entry.size_bytes // 4, "<f4")  # no more than its file holds
        _fill(values.data, shard.descriptor, entry.offset, name)
        if masked_crc32c(values) != entry.crc32c:
            raise BadBundle(f"{name} has another checksum than its index says")
        return values.reshape(entry.shape)

    def _shard(self, number: int) -> _Shard:
        if number not in self._shards:
            if number >= self._count:
                raise BadBundle(f"there is no part {number} of its {self._count}")
            path = Path(f"{self._prefix}.data-{number:05d}-of-{self._count:05d}")
            self._shards[number] = _opened(path, self._files)
        return self._shards[number]


@contextmanager
def open_bundle(prefix: Path) -> Iterator[Bundle]:
    """The bundle whose files have this path, and then `.index` and `.data-?????-of-?????`.

    Raises BadBundle where its index is damaged or can't be understood, OSError where it can't be read.
    """
    with ExitStack() as files:
        index = _opened(Path(f"{prefix}.index"), files)
        if index.size > MOST_INDEX_BYTES:
            raise BadBundle(f"its index has {index.size} bytes, more than {MOST_INDEX_BYTES}")
        data = bytearray(index.size)
        _fill(memoryview(data), index.descriptor, 0, "its index")
        table = dict(read_table(bytes(data)))
        if HEADER_KEY not in table:
            raise BadBundle("its index has no header")
        shards = parse_header(table.pop(HEADER_KEY))
        entries = {name: parse_entry(name, value) for name, value in _named(table)}
        yield Bundle(prefix, shards, entries, files)


def _named(table: Mapping[bytes, bytes]) -> Iterator[tuple[str, bytes]]:
    """Entries of whole tensors; those of slices have keys of their own, which begin with a zero."""
    for key, value in table.items():
        if key.startswith(b"\0"):
            continue
        try:
            name = key.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadBundle("a name in its index is no text") from error
        if not name.isprintable():
            raise BadBundle("a name in its index is no text")
        yield name, value


def _opened(path: Path, files: ExitStack) -> _Shard:
    """A plain file, which is closed with the others. Raises BadBundle where it is none, or is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # never waits for a pipe's other end
    except FileNotFoundError as error:
        raise BadBundle(f"{path.name} is missing") from error
    files.callback(os.close, descriptor)
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise BadBundle(f"{path.name} is no file")
    return _Shard(descriptor=descriptor, size=facts.st_size)


def _fill(target: memoryview, descriptor: int, offset: int, name: str) -> None:
    """Read as many bytes as the target has. Raises BadBundle where the file has become shorter."""
    missing = target.cast("B") if target.nbytes else target
    done = 0
    while done < missing.nbytes:
        count = os.preadv(descriptor, [missing[done:]], offset + done)
        if not count:
            raise BadBundle(f"{name} is cut short")
        done += count
