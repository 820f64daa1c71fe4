"""The audit log of gateway and commands on a real Kafka: what it writes, and what it does where it can't."""

import threading
import uuid
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.kafka.audit import AuditPolicy, KafkaAuditLog
from consumer.core.errors import AuditUnavailable
from consumer.core.events import AuditEvent
from consumer.settings import KafkaSettings
from devstack.service import free_port
from harness.fakes import NOON
from harness.platform import Platform
from harness.waiting import wait_for
from tests.conftest import Kafka


class World:
    """A topic that need not be there, and logs that write to it."""

    def __init__(self, kafka: Kafka) -> None:
        self.bootstrap_servers, self.topic = kafka.bootstrap_servers, f"audit-{uuid.uuid4().hex[:8]}"
        self.lost: list[int] = []
        self.logged: list[AuditEvent] = []
        self.logs: list[KafkaAuditLog] = []

    def create(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        admin.create_topics([NewTopic(self.topic, 3, 1)])[self.topic].result(60)

    def log(self, *, bootstrap_servers: str = "", **policy: float) -> KafkaAuditLog:
        settings = KafkaSettings(bootstrap_servers=bootstrap_servers or self.bootstrap_servers)
        made = KafkaAuditLog(
            settings, self.topic, AvroCodec(), AuditPolicy(**{"is_required": False, **policy}),  # type: ignore[arg-type]
            log=self.logged.append, on_lost=self.lost.append,
        )  # fmt: skip
        self.logs.append(made)
        return made

    def written(self) -> list[str]:
        """The ids of all events that are there now."""
        reading = Platform(
            bootstrap_servers=self.bootstrap_servers, minio=None, environment={"TOPIC_AUDIT": self.topic}, folder=None  # type: ignore[arg-type]
        )  # fmt: skip
        return [event.event_id for event in reading.audit_events()]


@pytest.fixture
def world(kafka: Kafka) -> Iterator[World]:
    world = World(kafka)
    yield world
    for log in world.logs:
        log.close()


def an_event(number: int = 0, request_id: str | None = "r1") -> AuditEvent:
    return AuditEvent(
        event_id=f"e{number}", action="key.used", outcome="success", actor="a-key", request_id=request_id,
        occurred_at=NOON,
    )  # fmt: skip


def unavailable(call: Callable[[], object]) -> str:
    """What it raises; "" for nothing."""
    try:
        call()
    except AuditUnavailable as error:
        return str(error)
    return ""


def test_what_many_threads_record_is_written_once_each(world: World) -> None:
    """And told to the log, with a request and without."""
    world.create()
    log = world.log(is_required=True)
    log.probe(30)

    def record(thread: int) -> None:
        for number in range(100):
            log.check()
            log.record(an_event(1000 * thread + number, request_id=None if number % 2 else "r1"))

    threads = [threading.Thread(target=record, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert log.flush(60) == 0
    wanted = sorted(f"e{1000 * thread + number}" for thread in range(8) for number in range(100))
    assert sorted(world.written()) == wanted
    assert sorted(event.event_id for event in world.logged) == wanted
    assert (world.lost, log.trouble) == ([], "")


def test_where_it_is_not_required_nothing_raises_and_losses_count(world: World) -> None:
    """A topic that is missing takes no event; each is counted, and once it is there events are written again."""
    log = world.log(give_up_s=0.0)
    log.probe(1)
    for number in range(3):
        log.check()
        log.record(an_event(number))
    assert log.flush(60) == 0
    assert sum(world.lost) == 3
    assert log.trouble
    log.check()
    world.create()

    def is_written() -> bool:
        log.record(an_event(9))
        return log.flush(10) == 0 and bool(world.written())

    wait_for(is_written)
    assert set(world.written()) == {"e9"}
    assert log.trouble == ""


def test_where_it_is_required_nothing_is_lost(world: World) -> None:
    """While the topic is missing that is said before anything is done; what was recorded is written in the end."""
    log = world.log(is_required=True)
    assert world.topic in unavailable(lambda: log.probe(5))
    for number in range(3):
        log.record(an_event(number))
    wait_for(lambda: world.topic in unavailable(log.check))
    assert log.flush(0.1) == 3
    world.create()
    assert log.flush(120) == 0
    assert sorted(world.written()) == ["e0", "e1", "e2"]
    log.check()
    log.probe(30)
    assert world.lost == []


def test_what_one_producer_gave_up_another_writes(world: World) -> None:
    """One that may never connect again is of no more use; here it has an address where nobody listens."""
    world.create()
    log = world.log(bootstrap_servers=f"127.0.0.1:{free_port()}", is_required=True)
    log.record(an_event())
    wait_for(lambda: log.trouble != "")
    object.__setattr__(log._settings, "bootstrap_servers", world.bootstrap_servers)
    assert log.flush(60) == 0
    assert world.written() == ["e0"]


def test_there_is_room_for_so_many(world: World) -> None:
    """Where events must not be lost one more is refused, with some room left for what was begun; else it is lost."""
    required = world.log(is_required=True, capacity=10)
    for number in range(10):
        required.record(an_event(number))
    assert world.topic in unavailable(required.check)
    assert world.topic in unavailable(lambda: required.record(an_event(10)))
    assert len(world.logged) == 10  # what was refused was not recorded
    optional = world.log(capacity=2)
    for number in range(3):
        optional.record(an_event(number))
    assert world.lost == [1]
    assert len(world.logged) == 13


def test_what_is_left_at_the_end_is_counted(world: World) -> None:
    """With no broker at all the end comes within seconds, and nothing vanishes unseen; afterwards nothing is taken."""
    log = world.log(bootstrap_servers=f"127.0.0.1:{free_port()}", is_required=True)
    assert unavailable(lambda: log.probe(5))
    log.record(an_event(1))
    log.record(an_event(2))
    wait_for(lambda: unavailable(log.check))
    log.close()
    assert sum(world.lost) == 2
    assert unavailable(lambda: log.record(an_event(3)))
