"""What passes of a partition with a batch that can't be read: nothing, until it can be read or is gone."""

import pytest
from confluent_kafka import KafkaError

from consumer.adapters.kafka.unreadable import RETRY_S, UnreadableBatches, is_of_a_batch
from consumer.core.model import TopicPartition

HERE, THERE = TopicPartition("t", 0), TopicPartition("t", 1)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def batches(clock: Clock) -> UnreadableBatches:
    return UnreadableBatches(clock)


def test_nothing_behind_it_passes_and_others_do(batches: UnreadableBatches) -> None:
    """The place is told until the batch is read; another partition is not touched."""
    assert batches.meet(HERE, 7, "bad")
    assert (batches.lets_pass(HERE), batches.lets_pass(THERE)) == (False, True)
    assert batches.trouble == "t [0] can't be read at 7: bad"


def test_it_is_news_once(batches: UnreadableBatches) -> None:
    """A client that meets it again and again has told of it; one at another place, after the first is read, is news."""
    assert [batches.meet(HERE, 7, "bad"), batches.meet(HERE, 7, "bad"), batches.meet(HERE, 9, "bad")] == [
        True,
        False,
        False,
    ]
    batches.begin_again(HERE)
    assert batches.meet(HERE, 9, "bad")
    assert "at 9" in batches.trouble


def test_what_was_passed_over_is_tried_again(batches: UnreadableBatches, clock: Clock) -> None:
    """Only where the client went on behind it, which a batch that it asks for again by itself does not make it do."""
    batches.meet(HERE, 7, "bad")
    clock.now_s = 2 * RETRY_S
    assert list(batches.due()) == []
    assert not batches.lets_pass(HERE)
    assert list(batches.due()) == [(HERE, 7)]
    batches.begin_again(HERE)
    assert list(batches.due()) == []
    batches.meet(HERE, 7, "bad")  # as before
    assert not batches.lets_pass(HERE)
    assert list(batches.due()) == []  # not yet
    clock.now_s += RETRY_S
    assert list(batches.due()) == [(HERE, 7)]


def test_what_can_be_read_from_there_on_passes(batches: UnreadableBatches) -> None:
    """No error since reading began at its place: it is mended, or gone, and nothing is told of it any more."""
    batches.meet(HERE, 7, "bad")
    batches.begin_again(HERE)
    assert batches.lets_pass(HERE)
    assert batches.trouble == ""


def test_a_partition_that_goes_takes_it_along(batches: UnreadableBatches) -> None:
    """Whoever reads it next finds out by itself."""
    batches.meet(HERE, 7, "bad")
    batches.forget([HERE])
    assert (batches.trouble, batches.lets_pass(HERE)) == ("", True)


@pytest.mark.parametrize(
    ("code", "offset", "wanted"),
    [
        (KafkaError._BAD_COMPRESSION, 0, True),
        (KafkaError._BAD_MSG, 5, True),
        (KafkaError._NOT_IMPLEMENTED, 5, True),
        (KafkaError.MSG_SIZE_TOO_LARGE, 5, True),
        (KafkaError._BAD_MSG, None, False),
        (KafkaError._BAD_MSG, -1001, False),
        (KafkaError._TRANSPORT, 5, False),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, 5, False),
    ],
)
def test_errors_of_a_batch_have_a_place(code: int, offset: int | None, wanted: bool) -> None:
    """An error of a connection, or without an offset, says nothing of a batch."""
    assert is_of_a_batch(KafkaError(code), offset) is wanted
