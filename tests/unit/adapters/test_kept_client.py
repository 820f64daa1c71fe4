"""When a client that is kept is exchanged, and what becomes of the one before."""

import pytest
from confluent_kafka import KafkaError

from consumer.adapters.kafka.kept_client import KeptClient

UNANSWERED = (KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._MSG_TIMED_OUT, KafkaError._ALL_BROKERS_DOWN)
ANSWERED = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
)


class Clients:
    """Numbered as they are made."""

    def __init__(self) -> None:
        self.made: list[int] = []
        self.retired: list[int] = []

    def make(self) -> int:
        self.made.append(len(self.made))
        return self.made[-1]


@pytest.mark.parametrize("code", UNANSWERED)
def test_another_is_made_once_it_is_asked_for(code: int) -> None:
    """Once, however often it was noted; until then the one before is what there is."""
    clients = Clients()
    kept = KeptClient(clients.make, clients.retired.append)
    assert [kept.note(KafkaError(code)) for _ in range(3)] == [True] * 3
    assert (kept.latest, clients.made) == (0, [0])
    assert [kept.now(), kept.now(), kept.latest] == [1, 1, 1]
    assert (clients.made, clients.retired) == ([0, 1], [0])


@pytest.mark.parametrize("code", ANSWERED)
def test_what_brokers_said_another_would_say_too(code: int) -> None:
    clients = Clients()
    kept = KeptClient(clients.make)
    assert not kept.note(KafkaError(code))
    assert (kept.now(), clients.made) == (0, [0])


def test_nothing_mends_one_with_a_fatal_error() -> None:
    clients = Clients()
    kept = KeptClient(clients.make)
    assert kept.note(KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, fatal=True))
    assert kept.now() == 1


def test_where_none_can_be_made_it_is_tried_again() -> None:
    """As where a secret's file is being exchanged."""
    clients, is_there = Clients(), [True]

    def make() -> int:
        if not is_there[0]:
            raise ValueError("no file")
        return clients.make()

    kept = KeptClient(make)
    kept.forsake()
    is_there[0] = False
    with pytest.raises(ValueError, match="no file"):
        kept.now()
    is_there[0] = True
    assert (kept.latest, kept.now()) == (0, 1)


def test_whoever_retires_one_may_ask_for_its_successor() -> None:
    found: list[int] = []
    clients = Clients()

    def retire(_: int) -> None:
        found.append(kept.now())

    kept = KeptClient(clients.make, retire)
    kept.forsake()
    assert (kept.now(), found) == (1, [1])
