"""Walks through a value's bytes by the shape of its writer's schema, and makes nothing of them.

A library makes an object of each value that it meets, and skips what is not asked for at its own pace. What comes out
of this walk is known to end, to have no more values than are allowed, and to say of no length or count what isn't so.
"""

from consumer.adapters.avro.shapes import Shape
from consumer.core.errors import Code, Rejected

MAX_VALUES = 100_000  # in one record by a schema that is not ours: what a megabyte may come to in time and memory
_WIDTHS = {"null": 0, "boolean": 1, "float": 4, "double": 8}
_MAX_VARINT_BYTES = 10


def check_body(shape: Shape, body: bytes) -> None:
    """Raises Rejected(AVRO_UNDECODABLE) with what is wrong, unless the bytes are a value of that shape and no more."""
    walk = _Walk(body)
    walk.value(shape)
    if walk.left:
        raise Rejected(Code.AVRO_UNDECODABLE, "there are bytes behind the end of the value")


def _unfit(reason: str) -> Rejected:
    return Rejected(Code.AVRO_UNDECODABLE, f"the bytes do not fit their schema ({reason})")


class _Walk:
    def __init__(self, body: bytes) -> None:
        self._body, self._at, self._values = body, 0, 0

    @property
    def left(self) -> int:
        return len(self._body) - self._at

    def value(self, shape: Shape) -> None:
        """As deep as the shape is, which is bounded: no more."""
        self._values += 1
        if self._values > MAX_VALUES:
            raise Rejected(Code.AVRO_UNDECODABLE, f"the record has more than {MAX_VALUES} values")
        kind = shape.kind
        if kind == "record":
            for part in shape.parts:
                self.value(part)
        elif kind in ("int", "long"):
            self._number()
        elif kind in ("string", "bytes"):
            self._pass(self._number())
        elif kind == "union":
            self.value(shape.parts[self._index(len(shape.parts))])
        elif kind in ("array", "map"):
            self._blocks(shape)
        elif kind == "enum":
            self._index(shape.size)
        else:
            self._pass(shape.size if kind == "fixed" else _WIDTHS[kind])

    def _blocks(self, shape: Shape) -> None:
        """Counts of items, each with so many behind it; a negative one has their size in bytes too. 0 is the end."""
        is_map, item = shape.kind == "map", shape.parts[0]
        while count := self._number():
            size = self._number() if count < 0 else None
            count = abs(count)
            if count * (item.least_bytes + is_map) > self.left:
                raise _unfit("it has fewer items than it says")
            begin = self._at
            for _ in range(count):
                if is_map:
                    self._pass(self._number())
                self.value(item)
            if size is not None and size != self._at - begin:
                raise _unfit("a block has another size than it says")

    def _index(self, count: int) -> int:
        index = self._number()
        if not 0 <= index < count:
            raise _unfit("it names a branch or a symbol that there is not")
        return index

    def _pass(self, size_bytes: int) -> None:
        if not 0 <= size_bytes <= self.left:
            raise _unfit("it ends too early")
        self._at += size_bytes

    def _number(self) -> int:
        """A long: seven bits a byte, the lowest first, zigzag."""
        found, body = 0, self._body
        for shift in range(0, 7 * _MAX_VARINT_BYTES, 7):
            if self._at >= len(body):
                raise _unfit("it ends too early")
            byte = body[self._at]
            self._at += 1
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (found >> 1) ^ -(found & 1)
        raise _unfit("a number does not end")
