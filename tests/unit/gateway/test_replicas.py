"""Whose each running job is."""

from consumer.core.group import Group, GroupMember
from consumer.core.model import TopicPartition
from consumer.gateway.outlook.at_work import RunningJob
from consumer.gateway.replicas import replicas_of


def member(member_id: str, instance_id: str | None, *partitions: int) -> GroupMember:
    """One that has these partitions of the requests."""
    return GroupMember(
        member_id=member_id, instance_id=instance_id, client_id="spleeter-consumer", host="10.0.0.1",
        partitions=tuple(TopicPartition("requests", number) for number in partitions),
    )  # fmt: skip


def job(request_id: str, instance_id: str, partition: int, *, total: int | None = 4) -> RunningJob:
    """One that is half done."""
    return RunningJob(
        request_id=request_id, place=0, partition=partition, networks=2, instance_id=instance_id, stage="separate",
        attempt=1, first_ms=1000, first_done=1, heard_ms=2500, done=2, total=total,
    )  # fmt: skip


def test_a_job_is_its_replica_s() -> None:
    """By name; by partition where the member has no name; and nobody's who is a member where neither fits."""
    group = Group(state="stable", members=(member("m2", None, 2, 3), member("m1", "one", 0, 1), member("m3", "two")))
    running = [
        job("named", "one", 0),
        job("of a retry", "two", 0),  # its own record lies in another's partition
        job("by partition", "some-host", 3),
        job("of one who left", "gone", 1, total=None),
    ]
    items = replicas_of(group, running, "requests")
    assert [(item["instance_id"], item["member_id"], [each["id"] for each in item["jobs"]]) for item in items] == [
        (None, "m2", ["by partition"]),
        ("one", "m1", ["named"]),
        ("two", "m3", ["of a retry"]),
        ("gone", None, ["of one who left"]),
    ]
    assert items[1] == {
        "instance_id": "one",
        "member_id": "m1",
        "client_id": "spleeter-consumer",
        "host": "10.0.0.1",
        "partitions": [{"topic": "requests", "partition": 0}, {"topic": "requests", "partition": 1}],
        "jobs": [{
            "id": "named", "instance_id": "one", "stage": "separate", "progress": 0.5, "attempt": 1,
            "since": "1970-01-01T00:00:01.000Z", "at": "1970-01-01T00:00:02.500Z",
        }],
    }  # fmt: skip
    assert items[3]["jobs"][0]["progress"] is None
