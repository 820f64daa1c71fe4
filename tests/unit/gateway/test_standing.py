"""Why each partition waits, and that the worst one is first."""

from consumer.core.group import Group, GroupMember
from consumer.core.lag import PartitionLag
from consumer.core.model import TopicPartition
from consumer.gateway.outlook.at_work import RunningJob
from consumer.gateway.standing import Situation, Standing, standings

REQUESTS, RETRY = "requests", "requests.retry-1"
NOW_S = 1_764_504_000.0


def lag(partition: int, waited_s: float | None, *, topic: str = REQUESTS, held: int = 0) -> PartitionLag:
    """One whose oldest record is of so many seconds ago; None: it has none."""
    oldest_at_s = None if waited_s is None else NOW_S - waited_s
    return PartitionLag(
        partition=TopicPartition(topic, partition), messages=0 if waited_s is None else 3, oldest_at_s=oldest_at_s,
        held=held,
    )  # fmt: skip


def member(name: str | None, *partitions: int, retry: int | None = None) -> GroupMember:
    places = [TopicPartition(REQUESTS, each) for each in partitions]
    places += [] if retry is None else [TopicPartition(RETRY, retry)]
    return GroupMember(member_id=f"m-{name}", instance_id=name, client_id="c", host="h", partitions=tuple(places))


def job(name: str, partition: int, accepted_s_ago: float) -> RunningJob:
    """One that `name` is at, of a request that was written so long ago."""
    return RunningJob(
        request_id="r", place=round((NOW_S - accepted_s_ago) * 1000) << 20, partition=partition, networks=2,
        instance_id=name, stage="separate", attempt=1, first_ms=0, first_done=0, heard_ms=0, done=1, total=4,
    )  # fmt: skip


def told(
    lags: list[PartitionLag], members: list[GroupMember] | None, *running: RunningJob, held_s: float = 0.0
) -> list[tuple[int, str]]:
    group = None if members is None else Group(state="stable", members=tuple(members))
    situation = Situation(
        group=group, running=running, requests_topic=REQUESTS, delays_s={RETRY: 600.0}, now_s=NOW_S,
        held_s={each.partition: held_s for each in lags if each.held},
    )  # fmt: skip
    return [(each.lag.partition.partition, each.standing.value) for each in standings(lags, situation)]


def test_the_one_that_is_stuck_is_first() -> None:
    """Among partitions that are worked on and wait much longer."""
    lags = [lag(0, 9000), lag(1, 20), lag(2, 300), lag(3, None)]
    members = [member("a", 0, 1), member("b", 2, 3)]
    assert told(lags, members, job("a", 0, 9000)) == [(2, "stuck"), (1, "in_line"), (0, "worked_on"), (3, "clear")]


def test_each_reason() -> None:
    """Nobody has it; its replica is silent, is at later jobs, or at earlier ones; a transaction is open."""
    members = [member("a", 0), member("b", 1, 2)]
    assert told([lag(4, 5)], members) == [(4, "nobody")]
    assert told([lag(0, 61)], members) == [(0, "stuck")]
    assert told([lag(0, 59)], members) == [(0, "in_line")]
    assert told([lag(1, 600)], members, job("b", 2, 100)) == [(1, "overtaken")]
    assert told([lag(1, 600)], members, job("b", 2, 590)) == [(1, "in_line")]
    assert told([lag(1, 600)], members, job("b", 2, 100), job("b", 2, 700)) == [(1, "in_line")]
    assert told([lag(1, 600)], members, job("a", 0, 700)) == [(1, "stuck")]
    assert told([lag(1, None, held=4)], members, held_s=59) == [(1, "clear")]
    assert told([lag(1, None, held=4)], members, held_s=60) == [(1, "held")]
    assert told([lag(1, 600, held=4)], members, job("b", 1, 600), held_s=60) == [(1, "held")]
    assert told([lag(1, 600, held=4)], [], held_s=60) == [(1, "nobody")]
    assert told([lag(1, 600)], None) == [(1, "unknown")]
    assert told([lag(1, 600)], None, job("b", 1, 600)) == [(1, "worked_on")]


def test_a_retry_waits_on_purpose() -> None:
    """As long as its topic's delay; a minute later it is stuck, and before it has a replica it is nobody's."""
    mine = [member("a", retry=0)]
    assert told([lag(0, 599, topic=RETRY)], mine) == [(0, "delayed")]
    assert told([lag(0, 650, topic=RETRY)], mine) == [(0, "in_line")]
    assert told([lag(0, 661, topic=RETRY)], mine) == [(0, "stuck")]
    assert told([lag(0, 10, topic=RETRY)], [member("a", 0)]) == [(0, "nobody")]
    assert told([lag(0, 661, topic=RETRY)], mine, job("b", 0, 661)) == [(0, "stuck")]  # another topic's partition 0


def test_a_replica_without_a_name_has_the_jobs_of_its_partitions() -> None:
    """So its other partitions are in line, and not stuck."""
    assert told([lag(1, 600)], [member(None, 0, 1)], job("some-host", 0, 650)) == [(1, "in_line")]


def test_of_two_alike_the_longer_wait_is_first() -> None:
    """And every standing has its place in the order."""
    assert told([lag(0, 100), lag(1, 4000), lag(2, 500)], []) == [(1, "nobody"), (2, "nobody"), (0, "nobody")]
    assert next(iter(Standing)) is Standing.NOBODY
    assert list(Standing)[-1] is Standing.CLEAR
