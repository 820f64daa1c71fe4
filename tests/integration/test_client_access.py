"""Rights that Kafka does not give: whoever uses the client gets AccessDenied with the topic's name, and never waits."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from consumer.adapters.avro.codec import AvroCodec
from consumer.client import AccessDenied, Client
from consumer.core.events import SeparationResult
from consumer.settings import KafkaSettings, TopicSettings
from devstack.kafka import kafka
from devstack.service import free_port
from harness.fakes import a_request
from harness.rights import rights_of
from harness.waiting import wait_for

# What the client does with each topic.
NEEDED = {
    "requests": AclOperation.WRITE, "control": AclOperation.WRITE, "results": AclOperation.READ,
    "dead_letter": AclOperation.READ, "progress": AclOperation.READ,
}  # fmt: skip

BOB = {
    "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "bob",
    "sasl.password": "bobs-password",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A broker that asks who comes. anybody: the door of those who may do everything. bobs: bob's."""

    anybody: str
    bobs: str


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    port, door = free_port(), free_port()
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    further = {
        "listener.security.protocol.map": f"PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,DOOR{door}:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        f"listener.name.door{door}.plain.sasl.jaas.config": f'{module} required user_bob="bobs-password";',
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    running = kafka(tmp_path_factory.mktemp("guarded"), port, {door: door}, further=further).start()
    yield Guarded(anybody=f"127.0.0.1:{port}", bobs=f"127.0.0.1:{door}")
    running.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Topics of one test's own, and who may use them."""

    topics: TopicSettings
    admin: AdminClient
    broker: Guarded

    def name(self, kind: str) -> str:
        return str(getattr(self.topics, kind))

    def grant(self, **operations: AclOperation) -> None:
        """By kind of topic."""
        rights = [self._right(kind, operation) for kind, operation in operations.items()]
        for answer in self.admin.create_acls(rights).values():
            answer.result(30)
        wait_for(lambda: all(self._is_seen(kind) for kind in operations))

    def revoke(self, kind: str) -> None:
        """All that bob may do with it."""
        any_of_it = AclBindingFilter(
            ResourceType.TOPIC, self.name(kind), ResourcePatternType.LITERAL, "User:bob", "*", AclOperation.ANY,
            AclPermissionType.ANY,
        )  # fmt: skip
        for answer in self.admin.delete_acls([any_of_it]).values():
            answer.result(30)
        wait_for(lambda: not self._is_seen(kind))

    def client(self) -> Client:
        """Bob's."""
        return Client(KafkaSettings(bootstrap_servers=self.broker.bobs, properties=BOB), self.topics, AvroCodec())

    def answer(self, request_id: str) -> None:
        """As a replica does, which may write."""
        producer = Producer({"bootstrap.servers": self.broker.anybody})
        producer.produce(
            self.topics.results, AvroCodec().encode(SeparationResult(request_id=request_id)), request_id.encode()
        )
        assert producer.flush(30) == 0

    def _is_seen(self, kind: str) -> bool:
        """Whether bob may look at it: rights are in force a moment after they were given."""
        bob = AdminClient({"bootstrap.servers": self.broker.bobs, **BOB})
        return bob.list_topics(self.name(kind), timeout=10).topics[self.name(kind)].error is None

    def _right(self, kind: str, operation: AclOperation) -> AclBinding:
        return AclBinding(
            ResourceType.TOPIC, self.name(kind), ResourcePatternType.LITERAL, "User:bob", "*", operation,
            AclPermissionType.ALLOW,
        )  # fmt: skip


@pytest.fixture
def place(guarded: Guarded) -> Place:
    """Where bob has every right that he needs, but for what a test takes from him."""
    name = f"t{uuid.uuid4().hex[:8]}"
    topics = TopicSettings.model_validate({kind: f"{name}.{kind}" for kind in NEEDED})
    admin = AdminClient({"bootstrap.servers": guarded.anybody})
    for answer in admin.create_topics([NewTopic(f"{name}.{kind}", 2, 1) for kind in NEEDED]).values():
        answer.result(30)
    place = Place(topics=topics, admin=admin, broker=guarded)
    place.grant(**NEEDED)
    return place


def test_they_are_those_that_are_listed() -> None:
    """For a client, in docs/security.md: none is listed that is not tried here."""
    listed = {(right.place, right.operation.upper()) for right in rights_of("client")}
    assert listed == {(f"TOPIC_{kind.upper()}", operation.name) for kind, operation in NEEDED.items()}


def test_the_rights_that_are_needed_are_enough(place: Place) -> None:
    """So what is denied below is denied for want of one of them."""
    with place.client() as client:
        job = client.submit(a_request(request_id="r"))
        assert job.sent() is not None
        job.cancel()
        place.answer("r")
        assert job.result(30).request_id == "r"
        assert client.job("r").result(30).request_id == "r"


CALLS: dict[str, tuple[str, Callable[[Client], object]]] = {
    "sent": ("requests", lambda client: client.submit(a_request()).sent(30)),
    "the result of what is not sent": ("requests", lambda client: client.submit(a_request()).result(30)),
    "send": ("requests", lambda client: client.send(a_request())),
    "cancel": ("control", lambda client: client.cancel("r")),
    "a job's cancel": ("control", lambda client: client.submit(a_request()).cancel()),
    "a result": ("results", lambda client: client.submit(a_request()).result(30)),
    "a dead letter": ("dead_letter", lambda client: client.submit(a_request()).result(30)),
    "progress": ("progress", lambda client: client.submit(a_request()).result(30)),
    "results": ("results", lambda client: next(client.results(idle_s=30))),
    "dead letters": ("dead_letter", lambda client: next(client.dead_letters(idle_s=30))),
    "watch": ("progress", lambda client: next(iter(client.watch()))),
    "a job that is taken up": ("results", lambda client: client.job("r").result(30)),
}


@pytest.mark.parametrize("may_look", [True, False], ids=["may look at it", "may not even look at it"])
@pytest.mark.parametrize("what", CALLS)
def test_what_is_denied_is_told(place: Place, what: str, may_look: bool) -> None:
    """Of a topic that may be described and no more, and of one that may not even be: in one line with its name."""
    kind, call = CALLS[what]
    place.revoke(kind)
    if may_look:
        place.grant(**{kind: AclOperation.DESCRIBE})
    with place.client() as client, pytest.raises(AccessDenied) as caught:
        call(client)
    assert place.name(kind) in str(caught.value)
    assert "KAFKA_SASL_USERNAME" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rights_that_are_taken_away_meanwhile_end_the_wait(place: Place) -> None:
    """All who wait are told; what is asked for once the rights are back has its outcome, by the same client."""
    with place.client() as client:
        jobs = [client.submit(a_request(request_id=f"r{number}")) for number in range(3)]
        assert all(job.sent() for job in jobs)
        place.revoke("results")
        for job in jobs:
            with pytest.raises(AccessDenied, match=place.name("results")):
                job.result(60)
        place.grant(results=AclOperation.READ)
        place.answer("r0")
        assert client.job("r0").result(60).request_id == "r0"
        again = client.submit(a_request(request_id="again"))
        place.answer("again")
        assert again.result(60).request_id == "again"
