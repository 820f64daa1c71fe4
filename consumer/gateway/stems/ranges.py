"""Which part of a body is asked for: RFC 9110's Range, of one span alone."""

import re
from dataclasses import dataclass
from http import HTTPStatus

from consumer.gateway.problems import Problem

_ONE_SPAN = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """`length` bytes from `start` on, of `size_bytes`."""

    start: int
    length: int
    size_bytes: int

    @property
    def is_partial(self) -> bool:
        """Whether it is less than everything."""
        return self.length != self.size_bytes

    @property
    def content_range(self) -> str:
        """As the header has it."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.size_bytes}"


def span_of(size_bytes: int, *, range_: str | None, if_range: str | None, etag: str) -> Span:
    """What is to be sent: everything where no part, several, or one of something else is asked for.

    Raises Problem: 416 where there is no such part.
    """
    everything = Span(start=0, length=size_bytes, size_bytes=size_bytes)
    found = _ONE_SPAN.fullmatch(range_ or "")
    if found is None or (if_range is not None and if_range.strip() != etag):
        return everything
    first, last = found.groups()
    if not first and not last:
        return everything
    if first and last and int(last) < int(first):
        return everything  # no range at all, as the RFC has it
    start = int(first) if first else max(0, size_bytes - int(last))
    end = min(size_bytes, int(last) + 1) if first and last else size_bytes
    if start >= end:
        raise Problem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "RANGE_NOT_SATISFIABLE", "there is no such part of it",
            headers={"Content-Range": f"bytes */{size_bytes}"},
        )  # fmt: skip
    return Span(start=start, length=end - start, size_bytes=size_bytes)
