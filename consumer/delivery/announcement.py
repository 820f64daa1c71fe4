"""What is to be committed before a partition is read, from what is committed of it."""

from dataclasses import dataclass

from consumer.core.model import TopicPartition
from consumer.core.ports import Position, Source
from consumer.delivery.assignments import Assignments
from consumer.delivery.log_identity import is_of_another_log
from consumer.delivery.reading import careful_until
from consumer.delivery.start_counts import is_fresh, parse_offset_metadata, parse_reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """That a partition will be read.

    found: what is committed of it. log_id: of the log that it has now; what is committed of another says nothing.
    offset: where it will be read from. deaths: of replicas in a row that were about to read from there. is_fresh: the
    offset is no statement about what is done, and is not to be taken for one. careful_until: as in Reading.
    """

    partition: TopicPartition
    found: Position | None
    offset: int
    log_id: str = ""
    deaths: int = 0
    is_fresh: bool = False
    careful_until: int = 0

    @property
    def is_another_logs(self) -> bool:
        """Whether what was found says nothing of this log; the client itself would begin there."""
        return self.found is not None and _said(self.found, self.log_id) is None

    @property
    def told(self) -> str:
        """The metadata that was found of this log."""
        return _metadata(_said(self.found, self.log_id))


def announcement_of(
    place: TopicPartition,
    found: Position | None,
    source: Source,
    assignments: Assignments,
    *,
    log_id: str,
    ours: tuple[Position, int] | None,
) -> Announcement:
    """ours: what this replica announced last, and the deaths before. Raises BrokerUnavailable."""
    said = _said(found, log_id)
    told = _metadata(said)
    deaths, starts = parse_reading(told), parse_offset_metadata(told)
    if ours and ours[0] == found:
        deaths = ours[1]  # the last that was about to read it is this replica, and it lives
    if not assignments.needs_position(place):
        offset, fresh = assignments.position(place), False
    elif said is None:
        offset, fresh = source.beginning(place), True
    else:
        offset, fresh = said.offset, is_fresh(told)
    begin, end = (source.beginning(place), source.end(place)) if deaths or starts else (offset, offset)
    # Where the log begins behind the offset every client begins there, and what others died of is another record.
    first = max(offset, begin)
    until = careful_until(first, end, deaths=deaths, has_starts=bool(starts))
    return Announcement(
        partition=place,
        found=found,
        log_id=log_id,
        offset=first,
        deaths=deaths if until and first == offset else 0,  # where nothing lies any more nobody dies of it
        is_fresh=fresh,
        careful_until=until,
    )


def _said(found: Position | None, log_id: str) -> Position | None:
    """What is committed of the log of that id."""
    return None if found is None or is_of_another_log(found, log_id) else found


def _metadata(said: Position | None) -> str:
    return said.offset_metadata if said else ""
