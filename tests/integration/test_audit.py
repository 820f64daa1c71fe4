"""The consumer's audit trail on a real Kafka: one event an outcome, whoever dies, and work without its topic."""

import os
import pwd
import signal
from collections import Counter
from pathlib import Path

from confluent_kafka.admin import AdminClient

from consumer.core.events import AuditEvent, DeadLetter, SeparationResult, SourceObject
from harness.clips import write_clip
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for


def decided(outcome: SeparationResult | DeadLetter) -> tuple[str | None, str]:
    """Whose outcome it is, and what it says."""
    return outcome.request_id, outcome.code if isinstance(outcome, DeadLetter) else ""


def told(event: AuditEvent) -> tuple[str | None, str]:
    return event.request_id, event.details.get("code", "")


def lost(replica: ReplicaProcess) -> float:
    return replica.gauges("audit_events_lost_total").get(("", -1), 0.0)


def delete_audit_topic(platform: Platform) -> None:
    topic = platform.topic("AUDIT")
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    admin.delete_topics([topic])[topic].result(30)
    wait_for(lambda: topic not in admin.list_topics(timeout=10).topics)


def create_topics(platform: Platform) -> None:
    created = platform.run("topics", "create", "--partitions", "6")
    assert created.returncode == 0, created.stderr


def test_each_outcome_has_its_event_once_whoever_dies(platform: Platform, tmp_path: Path) -> None:
    """Results and dead letters alike, of two replicas that are killed one after the other while they are at work."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))

    def ask(times: int) -> None:
        for _ in range(times):
            platform.request(key)
            platform.send(b"no request")
            platform.request("nothing.wav")
            platform.request(key, source=SourceObject(bucket="elsewhere", key=key))

    ask(11)
    for count in (1, 20):
        replica = platform.start_replica()
        wait_for(lambda count=count: len(platform.read_outcomes()) >= count)
        replica.process.send_signal(signal.SIGKILL)
        replica.process.wait(60)
    ask(1)  # whatever the second one has done before it was dead, something is left
    last = platform.start_replica()
    outcomes = platform.outcomes(48)
    wait_for(lambda: len(platform.audit_events()) >= 48)  # each partition hears of a commit in its own time
    events = platform.audit_events()
    assert len(outcomes) == len(events) == 48
    assert Counter(map(told, events)) == Counter(map(decided, outcomes))
    assert len({event.event_id for event in events}) == 48
    actions = Counter(event.action for event in events)
    assert actions == {
        "separation.completed": 12, "separation.refused": 12, "separation.failed": 12,
        "separation.bucket_not_allowed": 12,
    }  # fmt: skip
    assert lost(last) == 0
    # Whatever the last one committed is in its log too, and its log has nothing that the topic does not have.
    wait_for(lambda: last.said("audit.recorded"))
    lines = {line["event_id"]: line["action"] for line in last.said("audit.recorded")}
    assert lines.items() <= {event.event_id: event.action for event in events}.items()


def test_without_its_topic_work_goes_on_and_says_so(platform: Platform, tmp_path: Path) -> None:
    """By default: each lost event is counted and in the log; once there is a topic again, events are in it."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    delete_audit_topic(platform)
    replica = platform.start_replica()
    requests = [platform.request(key) for _ in range(3)]
    outcomes = platform.outcomes(3)
    ids = {each.request_id for each in requests}
    assert {outcome.request_id for outcome in outcomes} == ids
    wait_for(lambda: lost(replica) == 3)
    wait_for(lambda: {line["request_id"] for line in replica.said("audit.recorded")} == ids)
    page = replica.get("/ready")
    assert page is not None
    assert page.status_code == 200
    assert f"topic {platform.topic('AUDIT')}: " in page.json()["checks"]["audit"]
    assert f"topic {platform.topic('AUDIT')}: " in str(replica.said("audit.lost")[0]["reason"])
    create_topics(platform)
    sent = len(requests)

    def is_taken() -> bool:
        nonlocal sent
        platform.request(key)
        sent += 1
        return bool(platform.audit_events())

    wait_for(is_taken, every_s=5.0)
    wait_for(lambda: replica.said("audit.taken_again"))
    assert len(platform.outcomes(sent)) == sent
    wait_for(lambda: len(platform.audit_events()) + lost(replica) == sent)


def test_where_it_is_required_work_waits_for_its_topic(platform: Platform, tmp_path: Path) -> None:
    """/ready names the topic; once it is there each outcome is published once, with its event."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    delete_audit_topic(platform)
    replica = platform.start_replica(AUDIT_REQUIRED="true")
    platform.request(key)
    platform.send(b"no request")
    audit = platform.topic("AUDIT")
    wait_for(lambda: (page := replica.get("/ready")) is not None and f"topic {audit}: " in page.text)
    page = replica.get("/ready")
    assert page is not None
    assert page.status_code == 503
    assert platform.read_outcomes() == []
    create_topics(platform)
    outcomes = platform.outcomes(2)
    wait_for(lambda: Counter(map(told, platform.audit_events())) == Counter(map(decided, outcomes)))
    assert lost(replica) == 0
    replica.wait_ready()


def test_commands_have_their_events(platform: Platform) -> None:
    """Who cancelled, and who sent dead letters again; a dry run does nothing and has none."""
    replica = platform.start_replica()
    platform.request("nothing.wav", request_id="r1")
    platform.outcomes(1)
    replica.process.kill()
    assert platform.run("cancel", "r7", "--actor", "on call").returncode == 0
    assert platform.run("dlq", "replay", "--all", "--dry-run").returncode == 0
    sent = platform.run("dlq", "replay", "--all")
    assert (sent.returncode, sent.stderr) == (0, "")
    [cancelled] = [event for event in platform.audit_events() if event.action == "separation.cancel_requested"]
    assert (cancelled.actor, cancelled.request_id, cancelled.outcome) == ("on call", "r7", "success")
    [replayed] = [event for event in platform.audit_events() if event.action == "dead_letter.replayed"]
    assert replayed.actor == f"os:{pwd.getpwuid(os.getuid()).pw_name}"
    assert (replayed.request_id, replayed.details["code"]) == ("r1", "OBJECT_NOT_FOUND")
    assert f"{replayed.details['partition']}:{replayed.details['offset']}" in sent.stdout


def test_commands_without_the_topic(platform: Platform) -> None:
    """By default the command does its work and says what is missing; where it is required nothing is done."""
    delete_audit_topic(platform)
    audit = platform.topic("AUDIT")
    refused = platform.run("cancel", "r1", AUDIT_REQUIRED="true")
    assert refused.returncode == 1
    assert f"topic {audit}: " in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    control = {platform.topic("CONTROL"): None}
    assert platform._read(control) == []
    done = platform.run("cancel", "r1")
    assert done.returncode == 0
    assert "1 audit event" in done.stderr
    assert len(platform._read(control)) == 1
    wrong = platform.run("cancel", "r1", "--actor", "a\nb")
    assert wrong.returncode == 2
