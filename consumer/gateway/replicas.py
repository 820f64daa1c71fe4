"""Which replicas there are, and what each does: the group's members, beside the progress that is heard. Pure."""

from collections.abc import Sequence
from typing import Any

from consumer.core.group import Group, GroupMember
from consumer.core.model import TopicPartition
from consumer.gateway.outlook.at_work import RunningJob
from consumer.gateway.timestamps import iso_time

Item = dict[str, Any]


def replicas_of(group: Group, running: Sequence[RunningJob], requests_topic: str) -> list[Item]:
    """The members by their names, then whoever is heard of and is none.

    A job is its replica's by the name that its progress tells. A member without a name of its own has the jobs of its
    partitions of `requests_topic` whose replica is no other member.
    """
    members = sorted(group.members, key=lambda member: (member.instance_id or "", member.member_id))
    items = [_item(member) for member in members]
    by_name = {member.instance_id: item for member, item in zip(members, items, strict=True) if member.instance_id}
    by_partition = {
        place: item
        for member, item in zip(members, items, strict=True)
        if member.instance_id is None
        for place in member.partitions
    }
    strangers: dict[str, Item] = {}
    for job in sorted(running, key=lambda job: job.first_ms):
        item = by_name.get(job.instance_id) or by_partition.get(TopicPartition(requests_topic, job.partition))
        if item is None:
            item = strangers.setdefault(job.instance_id, _stranger(job.instance_id))
        item["jobs"].append(_job(job))
    return [*items, *(strangers[name] for name in sorted(strangers))]


def _item(member: GroupMember) -> Item:
    return {
        "instance_id": member.instance_id,
        "member_id": member.member_id,
        "client_id": member.client_id,
        "host": member.host,
        "partitions": [{"topic": place.topic, "partition": place.partition} for place in member.partitions],
        "jobs": [],
    }


def _stranger(instance_id: str) -> Item:
    nothing = dict.fromkeys(("member_id", "client_id", "host"))
    return {"instance_id": instance_id, **nothing, "partitions": [], "jobs": []}


def _job(job: RunningJob) -> Item:
    return {
        "id": job.request_id,
        "instance_id": job.instance_id,
        "stage": job.stage,
        "progress": round(min(max(0.0, job.done / job.total), 1.0), 3) if job.total else None,
        "attempt": job.attempt,
        "since": iso_time(job.first_ms / 1000),
        "at": iso_time(job.heard_ms / 1000),
    }
