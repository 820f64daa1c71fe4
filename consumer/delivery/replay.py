"""Which dead letters are meant, and the message that sends a letter's record back to where it came from."""

from collections.abc import Collection
from dataclasses import dataclass

from consumer.core.errors import Code, Rejected
from consumer.core.events import DeadLetter
from consumer.core.model import OUR_HEADER_PREFIX, Headers, Message

# Not one of the headers that the retry topics drop: it has to survive the next dead letter.
REPLAYS = "separation-replays"
_MOST_TOLD = 1_000_000
_MAX_HEADER_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a letter has to be; what is empty asks for nothing. places: `PARTITION:OFFSET` in the dead-letter topic."""

    codes: Collection[str] = ()
    request_ids: Collection[str] = ()
    places: Collection[str] = ()

    def has(self, letter: DeadLetter, place: str) -> bool:
        return (
            (not self.codes or letter.code in self.codes)
            and (not self.request_ids or letter.request_id in self.request_ids)
            and (not self.places or place in self.places)
        )


def replayed(letter: DeadLetter, topics: Collection[str]) -> Message:
    """The record as it came, key, value and headers, for its own topic, with one more replay counted.

    topics: those that records may go back to; a letter's own words on that may be a stranger's.
    Raises Rejected where the record can't be sent as it came.
    """
    if letter.topic not in topics:
        raise Rejected(Code.REQUEST_INVALID, f"it came from {letter.topic[:100]!r}, which is no topic of requests here")
    if letter.original_value is None:
        raise Rejected(Code.REQUEST_INVALID, "the letter holds no record: that was empty, or too large for it")
    came_with: Headers = tuple((header.key, header.value) for header in letter.original_headers)
    kept = tuple(
        (name, value) for name, value in came_with if name != REPLAYS and not name.startswith(OUR_HEADER_PREFIX)
    )
    if sum(len(name) + len(value or b"") for name, value in kept) > _MAX_HEADER_BYTES:
        raise Rejected(Code.REQUEST_INVALID, "its headers are larger than what is sent back")
    count = min(replays(came_with) + 1, _MOST_TOLD)
    return Message(
        topic=letter.topic,
        key=letter.original_key,
        value=letter.original_value,
        headers=(*kept, (REPLAYS, str(count).encode())),
    )


def replays(headers: Headers) -> int:
    """How often a record with these headers was sent back before; anyone may have written them."""
    count = next((value for name, value in headers if name == REPLAYS), None) or b"0"
    return int(count) if count.isdigit() and len(count) < 8 else 0
