"""Guards against records that kill what reads them: the whole replica, before it has seen the record.

It lies between the poll loop and Kafka. A partition that is assigned is not read before it is committed that it will
be (`ReadingCounter`). Where replicas died over it the partition is a suspect: suspects are read before all others, one
partition at a time, and then record by record, with no batch unpacked but that record's own. So what they died of is
the record that was being read, and after `MAX_DEATHS` that record is given up.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace

import structlog

from consumer.core.errors import BrokerUnavailable
from consumer.core.log_events import LogEvent
from consumer.core.model import Record, TopicPartition
from consumer.core.ports import EndOfPartition, Position, RebalanceListener, Source
from consumer.delivery.announcement import announcement_of
from consumer.delivery.assignments import Assignments
from consumer.delivery.guarded_partition import READ_BY_CLIENT, GuardedPartition, Phase
from consumer.delivery.log_identity import LogIds
from consumer.delivery.reading import MAX_DEATHS
from consumer.delivery.reading_counter import ReadingCounter
from consumer.delivery.start_counts import is_fresh
from consumer.delivery.wrapped_source import WrappedSource

_SETTLE_S = 1.0  # what a client fetches at first is fetched, and tried out, by then
_TURN_S = 30.0  # for which others wait for a partition of which nothing comes
_SILENCE_S = 120.0  # after which what does not come is no batch that is still being unpacked
_REST_S = 1.0  # until what could not be asked or read is tried again
_LOOK_S, _IDLE_LOOK_S = 0.01, 0.05


class GuardedSource(WrappedSource):
    """See ports.Source; also the listener that the guarded one calls. Used by the poll loop's thread.

    try_out: reads a record as those do who work on it; what it raises or returns does not matter, if it does.
    """

    _listener: RebalanceListener  # whoever subscribes

    def __init__(
        self, source: Source, assignments: Assignments, counter: ReadingCounter, try_out: Callable[[Record], object]
    ) -> None:
        super().__init__(source)
        self._assignments, self._counter, self._try_out = assignments, counter, try_out
        self._clock = assignments.clock
        self._log_ids = LogIds(source)
        self._guarded: dict[TopicPartition, GuardedPartition] = {}
        self._held_back: set[TopicPartition] = set()  # by the poll loop's pauses
        self._ours: dict[TopicPartition, tuple[Position, int]] = {}  # announced last, with the deaths before
        self._log = structlog.get_logger()

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        self._listener = listener
        self._source.subscribe(topics, self)

    def poll(self, timeout_s: float) -> Record | EndOfPartition | None:
        phases = {guarded.phase for guarded in self._guarded.values()}
        if phases != {Phase.FREE} and not self._counter.is_stopped:
            self._go_on()
            if event := self._careful_event():
                return event
        event = self._source.poll(min(timeout_s, _look_s(phases)))
        if event is not None and (guarded := self._guarded.get(event.topic_partition)):
            self._survive(event, guarded)
        return event

    # --- from its assignment to its first event ---

    def _go_on(self) -> None:
        now = self._clock.monotonic()
        self._look_up({place: guarded for place, guarded in self._in(Phase.NEW) if guarded.rests_until <= now})
        self._begin()
        for place, guarded in self._in(Phase.SETTLING):
            if now - guarded.since_s >= _SETTLE_S:
                assert guarded.announcement
                self._counter.come_through(place, guarded.announcement.offset, within_s=0.0)
                self._enter(guarded, Phase.FREE)
        for place, guarded in [*self._in(Phase.PROBED), *self._in(Phase.READ)]:
            if now - guarded.since_s >= _SILENCE_S:
                self._counter.take_back(place)
                self._enter(guarded, Phase.FREE if guarded.phase is Phase.READ else Phase.NEW)
        waiting, begun = self._in(Phase.WAITING), (Phase.ANNOUNCED, Phase.PROBED, Phase.READ)
        if not waiting or any(now - guarded.since_s < _TURN_S for phase in begun for _, guarded in self._in(phase)):
            return
        suspects = [(place, guarded) for place, guarded in waiting if guarded.is_suspect]
        # Over reading comes before over starts: what is at work is charged if its replica dies of anything else. Of the
        # others the one that waits longest: of those that can't be read at all none is in the others' way.
        suspects.sort(key=lambda each: (each[1].deaths == 0, each[1].since_s))
        self._announce(suspects[:1] or waiting)

    def _in(self, phase: Phase) -> list[tuple[TopicPartition, GuardedPartition]]:
        return [(place, guarded) for place, guarded in self._guarded.items() if guarded.phase is phase]

    def _enter(self, guarded: GuardedPartition, phase: Phase) -> None:
        guarded.phase, guarded.since_s = phase, self._clock.monotonic()

    def _look_up(self, new: Mapping[TopicPartition, GuardedPartition]) -> None:
        """Learn where the group stands, and what died there."""
        if not new:
            return
        try:
            log_ids = {topic: self._log_ids.now(topic) for topic in {place.topic for place in new}}
            found = self._source.committed(list(new))
        except BrokerUnavailable as away:
            self._rest(new, away)
            return
        for place, guarded in new.items():
            try:
                guarded.announcement = announcement_of(
                    place,
                    found[place],
                    self._source,
                    self._assignments,
                    log_id=log_ids[place.topic],
                    ours=self._ours.get(place),
                )
            except BrokerUnavailable as away:  # such as of one without a leader
                self._rest({place: guarded}, away)
            else:
                guarded.must_seek |= guarded.announcement.is_another_logs
                self._enter(guarded, Phase.WAITING)

    def _rest(self, guarded: Mapping[TopicPartition, GuardedPartition], away: BrokerUnavailable) -> None:
        """These begin anew a little later; others don't wait for them."""
        self._log.warning(LogEvent.POSITION_UNKNOWN, partition=next(iter(guarded)), reason=str(away))
        for each in guarded.values():
            each.rests_until = self._clock.monotonic() + _REST_S
            self._enter(each, Phase.NEW)

    def _announce(self, chosen: Iterable[tuple[TopicPartition, GuardedPartition]]) -> None:
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

    def _begin(self) -> None:
        """Read what is announced by now."""
        released: list[TopicPartition] = []
        for place, guarded in self._in(Phase.ANNOUNCED):
            position = self._counter.announced(place)
            if position is None:
                continue
            self._ours[place] = position, guarded.deaths
            if guarded.is_suspect:
                self._enter(guarded, Phase.PROBED)
            elif self._has_sought(place, guarded):
                self._enter(guarded, Phase.READ)
                released.append(place)
        if released := [place for place in released if place not in self._held_back]:
            self._source.resume(released)  # all at once: see KafkaSource

    def _has_sought(self, place: TopicPartition, guarded: GuardedPartition) -> bool:
        """Whether the client's own position is where the partition is to be read from."""
        if guarded.must_seek:
            assert guarded.announcement
            try:
                self._source.rewind(place, guarded.announcement.offset)
            except BrokerUnavailable:
                return False
            guarded.must_seek = False
        return True

    def _survive(self, event: Record | EndOfPartition, guarded: GuardedPartition) -> None:
        """Nothing that comes of this event kills us later: it was read, and is decoded here, where that is counted."""
        if isinstance(event, Record):
            with suppress(Exception):  # its walk will meet it too, and knows what it means
                self._try_out(event)
        if guarded.phase is Phase.READ:
            self._enter(guarded, Phase.SETTLING)

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
            try:
                event = self._source.read_one(place, offset, _IDLE_LOOK_S)
            except BrokerUnavailable as away:  # it can't be read, and nobody dies of it
                self._counter.take_back(place)
                self._rest({place: guarded}, away)
                continue
            if event:
                return self._read_carefully(place, guarded, event)
        return None

    def _read_carefully(
        self, place: TopicPartition, guarded: GuardedPartition, event: Record | EndOfPartition
    ) -> Record | EndOfPartition | None:
        self._survive(event, guarded)
        self._counter.come_through(place, event.offset, within_s=0.0)
        guarded.must_seek = True
        self._enter(guarded, Phase.CAREFUL)
        if isinstance(event, EndOfPartition):
            self._trust(guarded)
        return event

    def _trust(self, guarded: GuardedPartition) -> None:
        """What was suspected is read by now: the rest is read as usual, once its turn comes."""
        assert guarded.announcement
        guarded.announcement = replace(guarded.announcement, deaths=0, careful_until=0)
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
        return [p for p in partitions if p in self._guarded and self._guarded[p].phase in READ_BY_CLIENT]

    def rewind(self, partition: TopicPartition, offset: int | None) -> bool:
        """See ports.Source. Of one that is not read by the client yet the position is learnt anew."""
        guarded = self._guarded.get(partition)
        if guarded is None:
            return False
        if guarded.phase in READ_BY_CLIENT:
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
        self._guarded.update({place: GuardedPartition() for place in partitions})
        self._listener.assigned(partitions)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._listener.revoked(partitions)
        self._drop(partitions)

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._listener.lost(partitions)
        self._drop(partitions)

    def _drop(self, partitions: Sequence[TopicPartition]) -> None:
        for place in partitions:
            self._guarded.pop(place, None)


def _look_s(phases: Set[Phase]) -> float:
    """For how long the client may wait for an event before the guard looks again."""
    if phases & {Phase.NEW, Phase.WAITING, Phase.ANNOUNCED, Phase.PROBED}:
        return _LOOK_S
    return _IDLE_LOOK_S if phases & {Phase.CAREFUL, Phase.SETTLING} else float("inf")
