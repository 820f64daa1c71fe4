"""Guards against records that kill what reads them: the whole replica, before it has seen the record.

It lies between the poll loop and Kafka. A partition that is assigned is not read before it is committed that it will
be (`ReadingCounter`). Where replicas died over it the partition is a suspect: suspects are read before all others, one
partition at a time, and then record by record, with no batch unpacked but that record's own. So what they died of is
the record that was being read, and after `MAX_DEATHS` that record is given up.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, auto

import structlog

from consumer.core.errors import BrokerUnavailable
from consumer.core.log_events import LogEvent
from consumer.core.model import Record, TopicPartition
from consumer.core.ports import EndOfPartition, Position, RebalanceListener, Source
from consumer.delivery.assignments import Assignments
from consumer.delivery.reading import MAX_DEATHS, careful_until
from consumer.delivery.reading_counter import Announcement, ReadingCounter
from consumer.delivery.start_counts import is_fresh, parse_offset_metadata, parse_reading
from consumer.delivery.wrapped_source import WrappedSource

_FORGET_WITHIN_S = 1.0  # what a replica fetches at first is fetched by then
_TURN_S = 10.0  # for which others wait for a partition of which nothing comes, such as one without a leader
_REST_S = 1.0  # until a broker that is away is asked again
_LOOK_S, _IDLE_LOOK_S = 0.01, 0.05


class Phase(Enum):
    """NEW: its position is to be learnt. WAITING: for its turn. ANNOUNCED: a commit is to say that it is read.
    PROBED, READ: its first event is awaited, of a suspect and of any other. CAREFUL: a suspect's next record is.
    FREE: it is read by the client as usual.
    """

    NEW = auto()
    WAITING = auto()
    ANNOUNCED = auto()
    PROBED = auto()
    READ = auto()
    CAREFUL = auto()
    FREE = auto()


@dataclass(slots=True)
class _Guarded:
    """must_seek: the client's own position in it is not where it is to be read from. since_s: when its phase began."""

    phase: Phase = Phase.NEW
    announcement: Announcement | None = None
    must_seek: bool = False
    since_s: float = 0.0

    @property
    def is_suspect(self) -> bool:
        return self.announcement is not None and self.announcement.careful_until > 0


class GuardedSource(WrappedSource):
    """See ports.Source; also the listener that the guarded one calls. Used by the poll loop's thread.

    try_out: reads a record as those do who work on it; what it raises or returns does not matter, if it does.
    """

    def __init__(
        self,
        source: Source,
        assignments: Assignments,
        counter: ReadingCounter,
        try_out: Callable[[Record], object],
    ) -> None:
        super().__init__(source)
        self._assignments, self._counter, self._try_out = assignments, counter, try_out
        self._clock = assignments.clock
        self._listener: RebalanceListener | None = None
        self._guarded: dict[TopicPartition, _Guarded] = {}
        self._held_back: set[TopicPartition] = set()  # by the poll loop's pauses
        self._ours: dict[TopicPartition, tuple[Position, int]] = {}  # announced last, with the deaths before
        self._rests_until = float("-inf")
        self._log = structlog.get_logger()

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        self._listener = listener
        self._source.subscribe(topics, self)

    def poll(self, timeout_s: float) -> Record | EndOfPartition | None:
        if not self._counter.is_stopped:
            self._go_on()
            if event := self._careful_event():
                return event
        event = self._source.poll(min(timeout_s, self._look_s()))
        if event is not None:
            place = event.topic_partition
            guarded = self._guarded.get(place)
            if guarded is not None and guarded.phase is Phase.READ:
                self._survive(place, event, within_s=_FORGET_WITHIN_S)
                self._enter(guarded, Phase.FREE)
        return event

    def _look_s(self) -> float:
        phases = {guarded.phase for guarded in self._guarded.values()}
        if phases & {Phase.NEW, Phase.WAITING, Phase.ANNOUNCED, Phase.PROBED}:
            return _LOOK_S
        return _IDLE_LOOK_S if Phase.CAREFUL in phases else float("inf")

    # --- from its assignment to its first event ---

    def _go_on(self) -> None:
        self._look_up([place for place, guarded in self._guarded.items() if guarded.phase is Phase.NEW])
        for place, guarded in self._in(Phase.ANNOUNCED):
            if position := self._counter.announced(place):
                self._begin(place, guarded, position)
        for place, guarded in [*self._in(Phase.PROBED), *self._in(Phase.READ)]:
            if self._clock.monotonic() - guarded.since_s >= _TURN_S:  # nothing comes, and others wait
                self._counter.take_back(place)
                self._enter(guarded, Phase.FREE if guarded.phase is Phase.READ else Phase.NEW)
        waiting = self._in(Phase.WAITING)
        if not waiting or any(map(self._in, (Phase.ANNOUNCED, Phase.PROBED, Phase.READ))):
            return
        suspects = [(place, guarded) for place, guarded in waiting if guarded.is_suspect]
        # The one that waits longest comes first: of those that can't be read at all none is in the others' way.
        suspects.sort(key=lambda each: each[1].since_s)
        if suspects or not self._in(Phase.NEW):
            self._announce(suspects[:1] or waiting)

    def _in(self, phase: Phase) -> list[tuple[TopicPartition, _Guarded]]:
        return [(place, guarded) for place, guarded in self._guarded.items() if guarded.phase is phase]

    def _enter(self, guarded: _Guarded, phase: Phase) -> None:
        guarded.phase, guarded.since_s = phase, self._clock.monotonic()

    def _look_up(self, places: Sequence[TopicPartition]) -> None:
        """Learn where the group stands, and what died there."""
        if not places or self._clock.monotonic() < self._rests_until:
            return
        try:
            found = self._source.committed(places)
            announcements = {place: self._announcement(place, found[place]) for place in places}
        except BrokerUnavailable as away:
            self._log.warning(LogEvent.POSITION_UNKNOWN, partition=places[0], reason=str(away))
            self._rests_until = self._clock.monotonic() + _REST_S
            return
        for place, announcement in announcements.items():
            self._guarded[place].announcement = announcement
            self._enter(self._guarded[place], Phase.WAITING)

    def _announcement(self, place: TopicPartition, found: Position | None) -> Announcement:
        """Raises BrokerUnavailable."""
        told = found.offset_metadata if found else ""
        deaths, starts = parse_reading(told), parse_offset_metadata(told)
        if place in self._ours and self._ours[place][0] == found:
            deaths = self._ours[place][1]  # the last that was about to read it is this replica, and it lives
        if not self._assignments.needs_position(place):
            offset, fresh = self._assignments.position(place), False
        elif found is None or is_fresh(told):
            offset, fresh = found.offset if found else self._source.beginning(place), True
        else:
            offset, fresh = found.offset, False
        end = self._source.end(place) if deaths or starts else offset
        until = careful_until(offset, end, deaths=deaths, has_starts=bool(starts))
        return Announcement(
            partition=place,
            found=found,
            offset=offset,
            deaths=deaths if until else 0,  # where nothing lies nobody dies of it
            is_fresh=fresh,
            careful_until=until,
        )

    def _announce(self, chosen: Iterable[tuple[TopicPartition, _Guarded]]) -> None:
        """One commit for all of these."""
        membership = self._source.membership()
        for place, guarded in chosen:
            announcement = guarded.announcement
            assert announcement
            if not self._assignments.needs_position(place):
                announcement = replace(announcement, offset=self._assignments.position(place))
            guarded.announcement = announcement
            self._counter.announce(announcement, membership)
            self._enter(guarded, Phase.ANNOUNCED)
            if guarded.is_suspect:
                told = {"deaths": announcement.deaths, "careful_until": announcement.careful_until}
                self._log.warning(LogEvent.READ_CAREFULLY, partition=place, offset=announcement.offset, **told)

    def _begin(self, place: TopicPartition, guarded: _Guarded, position: Position) -> None:
        assert guarded.announcement
        self._ours[place] = position, guarded.announcement.deaths
        if guarded.is_suspect:
            self._enter(guarded, Phase.PROBED)
        elif self._release(place, guarded):
            self._enter(guarded, Phase.READ)

    def _release(self, place: TopicPartition, guarded: _Guarded) -> bool:
        """Have the client read it. False: not yet."""
        if guarded.must_seek:
            assert guarded.announcement
            try:
                self._source.rewind(place, guarded.announcement.offset)
            except BrokerUnavailable:
                return False
            guarded.must_seek = False
        if place not in self._held_back:
            self._source.resume([place])
        return True

    def _survive(self, place: TopicPartition, event: Record | EndOfPartition, *, within_s: float) -> None:
        """Nothing that comes of reading this event kills us: it was read, and is decoded here once."""
        if isinstance(event, Record):
            with suppress(Exception):  # its walk will meet it too, and knows what it means
                self._try_out(event)
        self._counter.come_through(place, event.offset, within_s=within_s)

    # --- suspects ---

    def _careful_event(self) -> Record | EndOfPartition | None:
        for place, guarded in [*self._in(Phase.PROBED), *self._in(Phase.CAREFUL)]:
            assert guarded.announcement
            offset = guarded.announcement.offset
            if guarded.phase is Phase.CAREFUL:
                following = self._counter.next_read(place)
                if following is None:
                    continue
                if not following.is_careful:
                    self._trust(guarded)
                    continue
                self._ours[place], offset = (following.position, 0), following.position.offset
            elif guarded.announcement.deaths >= MAX_DEATHS:
                guarded.must_seek = True
                self._enter(guarded, Phase.CAREFUL)
                return Record(**place._asdict(), offset=offset, reader_deaths=guarded.announcement.deaths)
            if event := self._source.read_one(place, offset, _IDLE_LOOK_S):
                return self._read_carefully(place, guarded, event)
        return None

    def _read_carefully(
        self, place: TopicPartition, guarded: _Guarded, event: Record | EndOfPartition
    ) -> Record | EndOfPartition | None:
        self._survive(place, event, within_s=0.0)
        guarded.must_seek = True
        self._enter(guarded, Phase.CAREFUL)
        if isinstance(event, EndOfPartition):
            self._trust(guarded)
        return event

    def _trust(self, guarded: _Guarded) -> None:
        """What was suspected is read by now: the rest is read as usual, once its turn comes."""
        assert guarded.announcement
        guarded.announcement = replace(guarded.announcement, deaths=0, is_fresh=False, careful_until=0)
        self._enter(guarded, Phase.WAITING)

    # --- what the poll loop asks and does ---

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._held_back.update(partitions)
        if read := self._read_by_client(partitions):
            self._source.pause(read)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self._held_back.difference_update(partitions)
        if read := self._read_by_client(partitions):
            self._source.resume(read)

    def _read_by_client(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        return [p for p in partitions if p in self._guarded and self._guarded[p].phase in (Phase.READ, Phase.FREE)]

    def rewind(self, partition: TopicPartition, offset: int | None) -> bool:
        """See ports.Source. Of one that is not read by the client yet the position is learnt anew."""
        guarded = self._guarded.get(partition)
        if guarded is None:
            return False
        if guarded.phase in (Phase.READ, Phase.FREE):
            return self._source.rewind(partition, offset)
        guarded.must_seek = True
        self._enter(guarded, Phase.NEW)
        return True

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Position | None]:
        """See ports.Source. Offsets that were only committed to count what reads are none."""
        found = self._source.committed(partitions)
        return {place: None if at and is_fresh(at.offset_metadata) else at for place, at in found.items()}

    # --- ports.RebalanceListener ---

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        if partitions:
            self._source.pause(partitions)
        self._guarded.update({place: _Guarded() for place in partitions})
        self._told.assigned(partitions)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._told.revoked(partitions)
        self._drop(partitions)

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._told.lost(partitions)
        self._drop(partitions)

    @property
    def _told(self) -> RebalanceListener:
        assert self._listener
        return self._listener

    def _drop(self, partitions: Sequence[TopicPartition]) -> None:
        for place in partitions:
            self._guarded.pop(place, None)
