"""`python -m harness.chaos.replica`: the service's own replica with the fake separator, and what tests ask for besides.

CHAOS_CRASH=point:n     SIGKILL itself at the n-th passing of that point
CHAOS_HOLD=point:n      stay there, from the n-th passing on, until CHAOS_RELEASE exists; CHAOS_HELD is made to say so
CHAOS_ARMED             passings count once this file exists
CHAOS_GATHER=n          the committer waits until n partitions have something to publish
CHAOS_MUTANT=name       one of `MUTANTS`: something done wrong, that the oracle has to find

The product knows nothing of all this: its real objects are wrapped here.
"""

import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.kafka import outbox as kafka_outbox
from consumer.adapters.kafka.outbox import KafkaOutbox
from consumer.adapters.s3.minio import MinioStore
from consumer.app.adapters import Adapters
from consumer.app.signals import stopped_by_signals
from consumer.app.vendors import make_adapters
from consumer.app.wiring import make_replica
from consumer.core.model import Job, ObjectFacts
from consumer.core.ports import Commit
from consumer.core.version import VERSION
from consumer.delivery.commit_queue import CommitQueue
from consumer.delivery.start_counter import StartCounter
from consumer.observability import logging as logs
from consumer.separator.client import SeparatorClient
from consumer.settings import LogSettings, Settings
from harness.chaos.separator import KILLS_REPLICA
from harness.waiting import wait_for


class Trap:
    """Counts passings of named points, and strikes at the one that the environment names."""

    def __init__(self, *, variable: str, strike: Callable[[], None]) -> None:
        point, _, number = os.environ.get(variable, "").partition(":")
        self._point, self._left, self._strike = point, int(number or 0), strike
        self._armed = Path(os.environ["CHAOS_ARMED"]) if "CHAOS_ARMED" in os.environ else None
        self._lock = threading.Lock()

    def passed(self, point: str) -> None:
        if point != self._point or (self._armed and not self._armed.exists()):
            return
        with self._lock:
            self._left -= 1
            strikes = self._left <= 0
        if strikes:
            self._strike()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hold() -> None:
    Path(os.environ["CHAOS_HELD"]).touch()
    wait_for(Path(os.environ["CHAOS_RELEASE"]).exists, 0.05)


def separator_command() -> Sequence[str]:
    """The fake separator's, with what tests ask of it: of this process's environment it is given nothing of ours."""
    asked = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("CHAOS_")]
    return ("/usr/bin/env", *asked, sys.executable, "-m", "harness.chaos.separator")


TRAPS = (Trap(variable="CHAOS_CRASH", strike=die), Trap(variable="CHAOS_HOLD", strike=hold))


def passed(point: str) -> None:
    for trap in TRAPS:
        trap.passed(point)


def around(owner: type, method: str, name: Callable[..., str]) -> None:
    """Passing points before and after a method; `name` tells which, by its arguments."""
    original = getattr(owner, method)

    @functools.wraps(original)
    def wrapped(self: Any, *args: Any, **options: Any) -> Any:
        point = name(*args, **options)
        passed(f"{point}.before")
        value = original(self, *args, **options)
        passed(f"{point}.after")
        return value

    setattr(owner, method, wrapped)


class Transactions:
    """A producer with points; a transaction that carries no message commits a note of starts, or an end."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._producer = Producer(*args, **options)
        self._kind = "note"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def begin_transaction(self) -> None:
        self._kind = "note"
        self._producer.begin_transaction()

    def produce(self, *args: Any, **options: Any) -> None:
        self._kind = "outcome"
        self._through("produce", self._producer.produce, *args, **options)

    def send_offsets_to_transaction(self, *args: Any) -> None:
        self._through("offsets", self._producer.send_offsets_to_transaction, *args)

    def commit_transaction(self, *args: Any) -> None:
        self._through("commit", self._producer.commit_transaction, *args)

    def _through(self, step: str, call: Callable[..., None], *args: Any, **options: Any) -> None:
        passed(f"{self._kind}-{step}.before")
        call(*args, **options)
        passed(f"{self._kind}-{step}.after")


def set_points() -> None:
    around(AvroCodec, "decode_request", lambda value: "decode")
    around(MinioStore, "fetch", lambda *_: "download")
    around(MinioStore, "create", lambda bucket, key, *_, **__: "manifest" if key.endswith(".json") else "upload")
    around(SeparatorClient, "separate", lambda *_, **__: "separate")
    around(StartCounter, "increment", lambda attempt: "start")
    around(KafkaOutbox, "publish", lambda commits: "publish" if any(c.messages for c in commits) else "note")
    separate = SeparatorClient.separate

    def with_segments(
        self: SeparatorClient, job: Job, path: Path, *, on_progress: Callable[..., None], **options: Any
    ) -> Any:
        if path.read_bytes().startswith(KILLS_REPLICA):
            die()

        def report(done: int, total: int | None) -> None:
            passed("segment.before")
            on_progress(done, total)

        return separate(self, job, path, on_progress=report, **options)

    SeparatorClient.separate = with_segments  # type: ignore[method-assign]
    kafka_outbox.Producer = Transactions  # type: ignore[attr-defined, assignment]


def gather(count: int) -> None:
    pending = CommitQueue.pending

    def gathered(self: CommitQueue, timeout_s: float, **options: Any) -> Any:
        """What has no message is let through: partitions are read only once that is committed."""
        found = pending(self, timeout_s, **options)
        if sum(bool(each.commit.messages) for each in found) >= count:
            CommitQueue.pending = pending  # type: ignore[method-assign]
            return found
        time.sleep(0.02)
        return [each for each in found if not each.commit.messages]

    CommitQueue.pending = gathered  # type: ignore[method-assign]


# --- what may be wrong ---


def commit_before_publish(_: Adapters) -> None:
    """The offset is committed, and then the outcome is published."""
    publish = KafkaOutbox.publish

    def wrong(self: KafkaOutbox, commits: Sequence[Commit]) -> None:
        if any(commit.messages for commit in commits):
            publish(self, [replace(commit, messages=()) for commit in commits])
            passed("between")
        publish(self, commits)

    KafkaOutbox.publish = wrong  # type: ignore[method-assign]


def manifest_before_stems(_: Adapters) -> None:
    """The manifest is stored, and then the stems that it names."""
    create = MinioStore.create
    waiting: dict[str, list[Callable[[], Any]]] = {}

    def wrong(self: MinioStore, bucket: str, key: str, content: Any, **options: Any) -> ObjectFacts | None:
        folder, _, name = key.rpartition("/")
        if name.startswith(".probe-"):  # of the store, before any work
            return create(self, bucket, key, content, **options)
        if name != "manifest.json":
            waiting.setdefault(folder, []).append(lambda: create(self, bucket, key, content, **options))
            return ObjectFacts(bucket=bucket, key=key, etag="", size_bytes=0)
        facts = create(self, bucket, key, content, **options)
        for late in waiting.pop(folder):
            late()
        return facts

    MinioStore.create = wrong  # type: ignore[method-assign]


def fresh_membership(adapters: Adapters) -> None:
    """Offsets are committed with the membership of that moment, not of the moment when the work began."""
    send = KafkaOutbox._send_offset

    def wrong(self: KafkaOutbox, producer: Producer, commit: Commit) -> None:
        send(self, producer, replace(commit, membership=adapters.source.membership()))

    KafkaOutbox._send_offset = wrong  # type: ignore[method-assign]


def dropped_dead_letter(_: Adapters) -> None:
    """Dead letters are not published; their offsets are committed."""
    publish, topic = KafkaOutbox.publish, os.environ["TOPIC_DEAD_LETTER"]

    def wrong(self: KafkaOutbox, commits: Sequence[Commit]) -> None:
        kept = [
            replace(commit, messages=tuple(message for message in commit.messages if message.topic != topic))
            for commit in commits
        ]
        publish(self, kept)

    KafkaOutbox.publish = wrong  # type: ignore[method-assign]


def dropped_audit(_: Adapters) -> None:
    """Outcomes are published without their audit events, and nobody is told."""
    publish = KafkaOutbox.publish

    def without(self: KafkaOutbox, commits: Sequence[Commit]) -> None:
        publish(self, [replace(commit, audit=()) for commit in commits])

    KafkaOutbox.publish = without  # type: ignore[method-assign]


MUTANTS: dict[str, Callable[[Adapters], None]] = {
    function.__name__: function
    for function in (commit_before_publish, manifest_before_stems, fresh_membership, dropped_dead_letter, dropped_audit)
}


def run() -> None:
    log, settings = LogSettings.load(), Settings.load()
    logs.configure(log.level, log.format, instance_id=settings.service.instance_id, version=VERSION)
    set_points()
    if count := int(os.environ.get("CHAOS_GATHER", "0")):
        gather(count)
    adapters = make_adapters(settings, separator_command=separator_command())
    if mutant := os.environ.get("CHAOS_MUTANT"):
        MUTANTS[mutant](adapters)
    replica = make_replica(settings, adapters)
    with stopped_by_signals(replica):
        replica.run()
    os._exit(0)


if __name__ == "__main__":
    run()
