from typing import Any

import pytest

from consumer.core.errors import Rejected
from consumer.core.events import DeadLetter, Header
from consumer.core.model import OUR_HEADER_PREFIX as PREFIX
from consumer.delivery.replay import REPLAYS, Selection, replayed, replays

TOPICS = ("requests", "requests.retry-1")


def a_letter(**fields: Any) -> DeadLetter:
    standard = {"request_id": "r1", "code": "OBJECT_NOT_FOUND", "topic": "requests", "original_value": b"v"}
    return DeadLetter(**standard | fields)


def test_a_record_goes_back_as_it_came() -> None:
    """Topic, key, value and the sender's headers, in their order, repeated and empty ones too; and one of ours."""
    headers = (Header(key="a", value=b"1"), Header(key="a", value=None), Header(key="b", value=b""))
    message = replayed(a_letter(original_key=b"k", original_headers=headers), TOPICS)
    assert (message.topic, message.key, message.value) == ("requests", b"k", b"v")
    assert message.headers == (("a", b"1"), ("a", None), ("b", b""), (REPLAYS, b"1"))


def test_replays_are_counted_and_headers_do_not_grow() -> None:
    """However often a record goes round, it has one header of ours, with how often that was."""
    letter, sizes = a_letter(original_headers=(Header(key="a", value=b"1"),)), set()
    for count in range(1, 1000):
        message = replayed(letter, TOPICS)
        assert replays(message.headers) == count
        sizes.add(len(message.headers))
        letter = a_letter(original_headers=tuple(Header(key=k, value=v) for k, v in message.headers))
    assert sizes == {2}


@pytest.mark.parametrize("told", [b"", None, b"-1", b"many", b"\xff", b"9" * 100, "\u0664".encode(), b"1.5"])
def test_a_strangers_count_is_none(told: bytes | None) -> None:
    """A count that is not one begins anew, and breaks nothing."""
    message = replayed(a_letter(original_headers=(Header(key=REPLAYS, value=told),)), TOPICS)
    assert message.headers == ((REPLAYS, b"1"),)


def test_the_count_is_bounded() -> None:
    """Nobody gets it to grow without end."""
    message = replayed(a_letter(original_headers=(Header(key=REPLAYS, value=b"9999999"),)), TOPICS)
    assert replays(message.headers) == 1_000_000


def test_our_own_headers_do_not_go_back() -> None:
    """A record begins anew: what it went through in the retry topics is over."""
    headers = (Header(key=f"{PREFIX}redelivery", value=b"{}"), Header(key="a", value=b"1"))
    assert replayed(a_letter(original_headers=headers), TOPICS).headers == (("a", b"1"), (REPLAYS, b"1"))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"topic": "payments"}, "'payments', which is no topic of requests"),
        ({"original_value": None}, "holds no record"),
        ({"original_headers": (Header(key="a", value=bytes(70_000)),)}, "headers are larger"),
    ],
)
def test_what_can_not_be_sent_as_it_came_is_not_sent(fields: dict[str, Any], told: str) -> None:
    """Nor does a letter, which a stranger may have had a hand in, send anything elsewhere."""
    with pytest.raises(Rejected, match=told):
        replayed(a_letter(**fields), TOPICS)


@pytest.mark.parametrize(
    ("fields", "is_meant"),
    [
        ({}, True),
        ({"codes": ["OBJECT_NOT_FOUND", "CANCELLED"]}, True),
        ({"codes": ["CANCELLED"]}, False),
        ({"request_ids": ["r1"]}, True),
        ({"request_ids": ["r"]}, False),
        ({"places": ["0:7"]}, True),
        ({"places": ["0:70", "10:7"]}, False),
        ({"codes": ["OBJECT_NOT_FOUND"], "request_ids": ["r2"]}, False),
        ({"codes": ["OBJECT_NOT_FOUND"], "request_ids": ["r1"], "places": ["0:7"]}, True),
    ],
)
def test_a_selection_means_what_fits_all_of_it(fields: dict[str, Any], is_meant: bool) -> None:
    """Each thing that is said has to hold; what is not said asks for nothing."""
    assert Selection(**fields).has(a_letter(), "0:7") == is_meant
