"""Schemas and records made to end or to stop their reader: each is read in a process that bounds would end."""

from collections.abc import Mapping

import pytest

from harness.avro_attacks import Seen, attacks, seen_in_a_process

ATTACKS = attacks()


@pytest.fixture(scope="module")
def seen() -> Mapping[str, Seen]:
    return seen_in_a_process(ATTACKS)


@pytest.mark.attack
@pytest.mark.parametrize("name", ATTACKS)
def test_a_schema_or_record_made_to_kill(seen: Mapping[str, Seen], name: str) -> None:
    """It ends as its code, with a plain reason of a line, and never its reader: not by depth, nor time, nor memory."""
    attack = ATTACKS[name]
    assert name in seen, "its reader died of it"
    found = seen[name]
    assert (found.code, attack.says in found.message) == (attack.code, True), found
    assert len(found.message) < 300
    assert found.message.isprintable()
