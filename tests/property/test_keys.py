"""Keys that are mistyped, and ones that somebody makes up."""

import string
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consumer.gateway.access.keys import KeyRing, key_id_of, make_key
from consumer.gateway.access.principal import Refusal, Unauthenticated

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LETTERS = string.ascii_letters + string.digits
KEYS = st.builds(lambda: make_key(name="web", tenant=None, scopes=[], created_at=NOON))
PLACES = st.integers(0, 10_000)


@given(KEYS, PLACES, st.sampled_from(LETTERS) | st.characters())
def test_one_other_character_is_told_offline(made: tuple[str, object], place: int, letter: str) -> None:
    """Whichever it is, and wherever: prefix, id, secret and checksum."""
    key, _ = made
    place %= len(key)
    assume(key[place] != letter)
    assert key_id_of(key[:place] + letter + key[place + 1 :]) is None


@given(KEYS, PLACES, st.sampled_from(LETTERS) | st.characters())
def test_one_character_more_or_less_is_told_offline(made: tuple[str, object], place: int, letter: str) -> None:
    key, _ = made
    place %= len(key)
    assert key_id_of(key[:place] + letter + key[place:]) is None
    assert key_id_of(key + letter) is None
    assert key_id_of(key[:place] + key[place + 1 :]) is None


@given(KEYS, PLACES)
def test_two_neighbours_in_each_others_place_are_told_offline(made: tuple[str, object], place: int) -> None:
    key, _ = made
    place %= len(key) - 1
    assume(key[place] != key[place + 1])
    assert key_id_of(key[:place] + key[place + 1] + key[place] + key[place + 2 :]) is None


@given(st.text(max_size=80) | st.from_regex(r"\Aspk_[0-9A-Za-z]{10}_[0-9A-Za-z]{49}\Z"))
def test_what_is_made_up_is_nobodys(text: str) -> None:
    """Whatever it is, and however like a key: the same refusal, and nothing else is raised."""
    with pytest.raises(Unauthenticated) as caught:
        KeyRing([make_key(name="web", tenant=None, scopes=[], created_at=NOON)[1]]).find(text, NOON)
    assert caught.value.reason in (Refusal.MALFORMED, Refusal.UNKNOWN)
    assert str(caught.value) == "a valid key or token is needed"


@given(st.integers(0, 4))
def test_each_key_is_its_own(number: int) -> None:
    """Of several, each is found as itself."""
    made = [make_key(name=f"k{n}", tenant=None, scopes=[], created_at=NOON) for n in range(5)]
    ring = KeyRing([record for _, record in made])
    key, record = made[number]
    assert ring.find(key, NOON) is record
