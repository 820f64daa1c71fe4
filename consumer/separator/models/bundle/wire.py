"""Variable-length numbers, and the fields of a protocol buffer: one level of it, so that nothing nests."""

from collections.abc import Iterator

from consumer.separator.models.bundle.errors import BadBundle

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_MOST_VARINT = 10  # bytes of 64 bits, seven a byte


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins there, of at most 64 bits, and where what follows begins. Raises BadBundle."""
    value = 0
    for index, byte in enumerate(data[at : at + _MOST_VARINT]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if value >> 64:
                break
            return value, at + index + 1
    raise BadBundle("a number in it is cut short or too long")


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The number of each field, and its value: bytes where it has a length or is of fixed size. Raises BadBundle."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise BadBundle("a field in it has no number")
        if kind == _VARINT:
            value, at = varint(message, at)
            yield number, value
            continue
        if kind == _LENGTH:
            length, at = varint(message, at)
        elif kind in (_FOUR_BYTES, _EIGHT_BYTES):
            length = 4 if kind == _FOUR_BYTES else 8
        else:
            raise BadBundle("a field in it is of an unknown kind")
        if length > len(message) - at:
            raise BadBundle("a field in it is cut short")
        yield number, message[at : at + length]
        at += length
