"""What operators ask the gateway: how far the group is behind, and who is in it; now, and over the last hour."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import BrokerUnavailable
from consumer.core.group import Group, GroupMember
from consumer.core.lag import Backlog, PartitionLag
from consumer.core.model import TopicPartition
from consumer.gateway.fresh import Fresh
from consumer.gateway.history.samples import SampleRing
from consumer.gateway.letters import Letters
from consumer.gateway.outlook.at_work import RunningJob
from consumer.gateway.replicas import replicas_of
from consumer.gateway.standing import PartitionStanding, Situation, standings


class Operating:
    """Belongs to one event loop; Kafka is asked in threads, one question of a kind at a time.

    read_lag and read_group: the group's lag and members now. delays_s: of each retry topic. Every method but `sample`
    raises BrokerUnavailable. samples: what was read over the last hour, by whoever asked.
    """

    def __init__(
        self,
        read_lag: Callable[[], Backlog],
        read_group: Callable[[], Group],
        letters: Letters,
        requests_topic: str,
        delays_s: Mapping[str, float],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.letters, self.samples = letters, SampleRing()
        self._requests_topic, self._delays_s, self._clock = requests_topic, delays_s, clock
        self._lag, self._group = Fresh(read_lag, clock), Fresh(read_group, clock)
        self._held: dict[TopicPartition, tuple[int, float]] = {}  # at which offset, and since when that is seen

    async def lag(self) -> list[dict[str, Any]]:
        """Each partition's unfinished records, how long the oldest waits, and what a sender's transaction holds."""
        backlog, now_s = await self._backlog(), self._now_s()
        return [_lag(lag, now_s) for lag in backlog.lags]

    async def replicas(self, running: Sequence[RunningJob]) -> dict[str, Any]:
        """The group's state and its members, each with what it does of what is running."""
        group = await self._members()
        return {"state": group.state, "items": replicas_of(group, running, self._requests_topic)}

    async def partitions(self, running: Sequence[RunningJob]) -> list[dict[str, Any]]:
        """Each partition with its lag, why it waits and who has it, the worst first. Nobody may be told who has it:
        then it says that this is unknown.
        """
        backlog = await self._backlog()
        try:
            group: Group | None = await self._members()
        except BrokerUnavailable:
            group = None
        now_s = self._now_s()
        situation = Situation(
            group=group,
            running=running,
            requests_topic=self._requests_topic,
            delays_s=self._delays_s,
            held_s={place: self._clock.monotonic() - since_s for place, (_, since_s) in self._held.items()},
            now_s=now_s,
        )
        return [_standing(each, now_s) for each in standings(backlog.lags, situation)]

    async def sample(self) -> None:
        """Note how it is now. What can't be read is a gap, and raises nothing."""
        for read in (self._backlog, self._members):
            try:
                await read()
            except BrokerUnavailable:
                self.samples.note_nothing(self._now_s())

    async def _backlog(self) -> Backlog:
        backlog, now_s = await self._lag.read(), self._now_s()
        waited_s = max((lag.waited_s(now_s) for lag in backlog.lags), default=0.0)
        self.samples.note_lag(now_s, messages=backlog.messages, seconds=round(waited_s, 3))
        self._note_held(backlog)
        return backlog

    def _note_held(self, backlog: Backlog) -> None:
        """Each reading is by a reader of its own, which can't tell for how long the same transaction has been open."""
        before, now_s = self._held, self._clock.monotonic()
        self._held = {lag.partition: (lag.held_at, now_s) for lag in backlog.lags if lag.held}
        for place, (offset, since_s) in before.items():
            if place in self._held and self._held[place][0] == offset:
                self._held[place] = offset, since_s

    async def _members(self) -> Group:
        group = await self._group.read()
        self.samples.note_replicas(self._now_s(), len(group.members))
        return group

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _lag(lag: PartitionLag, now_s: float) -> dict[str, Any]:
    return {
        "topic": lag.partition.topic,
        "partition": lag.partition.partition,
        "messages": lag.messages,
        "seconds": round(lag.waited_s(now_s), 3),
        "held": lag.held,
    }


def _standing(each: PartitionStanding, now_s: float) -> dict[str, Any]:
    return {
        **_lag(each.lag, now_s),
        "held_seconds": round(each.held_s, 3),
        "standing": each.standing.value,
        "owner": each.owner and _name(each.owner),
    }


def _name(member: GroupMember) -> str:
    return member.instance_id or f"{member.client_id} at {member.host}"
