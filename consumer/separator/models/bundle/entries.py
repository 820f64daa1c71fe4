"""What an index says: how many files hold the data, and of each tensor its type, shape, place and checksum."""

from dataclasses import dataclass

from consumer.separator.models.bundle.errors import BadBundle
from consumer.separator.models.bundle.wire import fields

HEADER_KEY = b""
_MOST_SHARDS = 1000
_MOST_DIMENSIONS = 8
_READABLE_VERSION = 1  # kTensorBundleVersion: what needs a reader of a later one says so
_LITTLE_ENDIAN = 0

# Fields of tensor_bundle.proto, tensor_shape.proto and versions.proto.
_HEADER_SHARDS, _HEADER_ENDIANNESS, _HEADER_VERSION = 1, 2, 3
_VERSION_LEAST_READER = 2
_ENTRY_TYPE, _ENTRY_SHAPE, _ENTRY_SHARD, _ENTRY_OFFSET, _ENTRY_SIZE, _ENTRY_CRC32C, _ENTRY_SLICES = range(1, 8)
_SHAPE_DIMENSION, _SHAPE_UNKNOWN_RANK = 2, 3
_DIMENSION_SIZE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a tensor lies. dtype: a number of TensorFlow's DataType. shard, offset, size_bytes: which file of the data,
    and where in it. crc32c: the masked checksum of its bytes. is_sliced: its values lie in entries of their own.
    """

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size_bytes: int
    crc32c: int
    is_sliced: bool


class _Message:
    """A protocol buffer's fields by number; what is repeated is kept so."""

    def __init__(self, data: bytes, what: str) -> None:
        self._what = what
        self._values: dict[int, list[int | bytes]] = {}
        for number, value in fields(data):
            self._values.setdefault(number, []).append(value)

    def whole(self, number: int, most: int) -> int:
        """A number from 0 to this; 0 where it does not stand there. Raises BadBundle."""
        value = self._one(number, 0)
        if not isinstance(value, int) or value > most:
            raise BadBundle(f"{self._what} has a number that can't be")
        return value

    def message(self, number: int) -> bytes:
        """A message in it; an empty one where it does not stand there."""
        return self._bytes(self._one(number, b""))

    def messages(self, number: int) -> list[bytes]:
        return [self._bytes(value) for value in self._values.get(number, [])]

    def four_bytes(self, number: int) -> int:
        value = self._bytes(self._one(number, bytes(4)))
        if len(value) != 4:
            raise BadBundle(f"{self._what} has a checksum that is none")
        return int.from_bytes(value, "little")

    def _one(self, number: int, default: int | bytes) -> int | bytes:
        values = self._values.get(number, [default])
        if len(values) > 1:
            raise BadBundle(f"{self._what} says one thing twice")
        return values[0]

    def _bytes(self, value: int | bytes) -> bytes:
        if not isinstance(value, bytes):
            raise BadBundle(f"{self._what} has a field of another kind")
        return value


def parse_header(data: bytes) -> int:
    """The number of files that hold the data. Raises BadBundle where they, or the index, can't be read here."""
    header = _Message(data, "its header")
    shards = header.whole(_HEADER_SHARDS, _MOST_SHARDS)
    if not shards:
        raise BadBundle("its header says that it has no data")
    if header.whole(_HEADER_ENDIANNESS, 1) != _LITTLE_ENDIAN:
        raise BadBundle("it was written big-endian, which is not read here")
    version = _Message(header.message(_HEADER_VERSION), "its header's version")
    if version.whole(_VERSION_LEAST_READER, (1 << 31) - 1) > _READABLE_VERSION:
        raise BadBundle("it is of a later format than is read here")
    return shards


def parse_entry(name: str, data: bytes) -> Entry:
    """A tensor's entry; what it says of places is not yet held against the files. Raises BadBundle."""
    most = (1 << 63) - 1
    entry = _Message(data, name)
    shape = _Message(entry.message(_ENTRY_SHAPE), f"{name}'s shape")
    dimensions = shape.messages(_SHAPE_DIMENSION)
    if shape.whole(_SHAPE_UNKNOWN_RANK, 1) or len(dimensions) > _MOST_DIMENSIONS:
        raise BadBundle(f"{name} has no shape, or more than {_MOST_DIMENSIONS} dimensions")
    return Entry(
        dtype=entry.whole(_ENTRY_TYPE, (1 << 31) - 1),
        shape=tuple(_Message(each, f"{name}'s shape").whole(_DIMENSION_SIZE, most) for each in dimensions),
        shard=entry.whole(_ENTRY_SHARD, _MOST_SHARDS),
        offset=entry.whole(_ENTRY_OFFSET, most),
        size_bytes=entry.whole(_ENTRY_SIZE, most),
        crc32c=entry.four_bytes(_ENTRY_CRC32C),
        is_sliced=bool(entry.messages(_ENTRY_SLICES)),
    )
