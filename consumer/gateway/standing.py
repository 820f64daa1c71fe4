"""How it stands with each partition: who waits there, and why, the one that is worst off first. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from consumer.core.group import Group, GroupMember
from consumer.core.lag import PartitionLag
from consumer.core.model import TopicPartition
from consumer.gateway.outlook.at_work import QUIET_MS, RunningJob
from consumer.gateway.outlook.outlook import accepted_ms_of

_QUIET_S = QUIET_MS / 1000


class Standing(StrEnum):
    """Why records of a partition wait, from the worst to none."""

    NOBODY = "nobody"
    """No replica has the partition."""
    STUCK = "stuck"
    """Its replica was heard of at no job for a minute, while something waits there."""
    HELD = "held"
    """A sender's transaction has been open for a minute: what lies behind can't be read."""
    OVERTAKEN = "overtaken"
    """Its replica is at jobs that came more than a minute later."""
    UNKNOWN = "unknown"
    """Who has it could not be found out."""
    IN_LINE = "in_line"
    """Its replica is at other jobs, or it came a moment ago."""
    DELAYED = "delayed"
    """It failed, and is tried again after the delay of its retry topic."""
    WORKED_ON = "worked_on"
    """A job of it is at work."""
    CLEAR = "clear"
    """Nothing waits."""


_ORDER = {standing: number for number, standing in enumerate(Standing)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionStanding:
    """waited_s: age of its oldest record without an outcome. owner: who has it; None: nobody, or not known.

    held_s: for how long a sender's transaction has held readers up; 0 where none does.
    """

    lag: PartitionLag
    waited_s: float
    held_s: float
    standing: Standing
    owner: GroupMember | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that is known at `now_s`, in seconds since 1970. group: None where it could not be asked.

    delays_s: of each retry topic. held_s: of partitions that a sender's transaction holds, for how long it has.
    """

    group: Group | None
    running: Sequence[RunningJob]
    requests_topic: str
    delays_s: Mapping[str, float]
    held_s: Mapping[TopicPartition, float]
    now_s: float


def standings(lags: Sequence[PartitionLag], situation: Situation) -> list[PartitionStanding]:
    """Of each partition, the worst first; of two that stand alike the one whose oldest record waits longer."""
    told = [_standing(lag, situation) for lag in lags]
    return sorted(told, key=lambda each: (_ORDER[each.standing], -each.waited_s, -each.held_s, each.lag.partition))


def _standing(lag: PartitionLag, situation: Situation) -> PartitionStanding:
    members = situation.group.members if situation.group else ()
    owner = next((member for member in members if lag.partition in member.partitions), None)
    waited_s, held_s = lag.waited_s(situation.now_s), situation.held_s.get(lag.partition, 0.0)
    standing = _why(lag, waited_s, owner, situation)
    if held_s >= _QUIET_S and _ORDER[standing] > _ORDER[Standing.HELD]:
        standing = Standing.HELD  # whatever is done before it, it stays so
    return PartitionStanding(lag=lag, waited_s=waited_s, held_s=held_s, owner=owner, standing=standing)


def _why(lag: PartitionLag, waited_s: float, owner: GroupMember | None, situation: Situation) -> Standing:
    if not lag.messages:
        return Standing.CLEAR
    topic, number = lag.partition
    if topic == situation.requests_topic and any(job.partition == number for job in situation.running):
        return Standing.WORKED_ON
    delay_s = situation.delays_s.get(topic, 0.0)
    if situation.group is None:
        return Standing.UNKNOWN
    if owner is None:
        return Standing.NOBODY
    if waited_s <= delay_s:
        return Standing.DELAYED
    if waited_s <= delay_s + _QUIET_S:
        return Standing.IN_LINE
    return _of_its_replica(lag, _jobs_of(owner, situation))


def _of_its_replica(lag: PartitionLag, jobs: Sequence[RunningJob]) -> Standing:
    if not jobs:
        return Standing.STUCK
    oldest_ms = (lag.oldest_at_s or 0.0) * 1000
    if all(accepted_ms_of(job.place) > oldest_ms + QUIET_MS for job in jobs):
        return Standing.OVERTAKEN
    return Standing.IN_LINE


def _jobs_of(owner: GroupMember, situation: Situation) -> list[RunningJob]:
    """By the replica's name, or, where it has none of its own, by the partitions that it has."""
    if owner.instance_id is not None:
        return [job for job in situation.running if job.instance_id == owner.instance_id]
    topic = situation.requests_topic
    return [job for job in situation.running if TopicPartition(topic, job.partition) in owner.partitions]
