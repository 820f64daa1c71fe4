"""Webhooks, by properties: any signature is one to the second implementation, and no record is lost or told twice."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from consumer.webhooks.signing import key_of, signed_headers
from consumer.webhooks.window import MOST_OPEN, Mark, PartitionWindow, mark_of, metadata_of

keys = st.binary(min_size=24, max_size=64)
webhook_ids = st.from_regex(r"[a-z.]{1,40}-[0-9]{1,4}-[0-9]{1,18}", fullmatch=True)
bodies = st.text(st.characters(exclude_categories=["Cs"]), max_size=300).map(str.encode)


def secret_of(key: bytes) -> str:
    return f"whsec_{base64.b64encode(key).decode()}"


@given(st.lists(keys, min_size=1, max_size=5), webhook_ids, st.integers(0, 4_000_000_000), bodies)
def test_each_secret_signs_as_the_standard_has_it(
    signing: list[bytes], webhook_id: str, at_s: int, body: bytes
) -> None:
    """Each signature is the one that `standardwebhooks` makes with that secret."""
    headers = signed_headers(webhook_id, at_s, body, map(secret_of, signing))
    at = datetime.fromtimestamp(at_s, UTC)
    expected = [Webhook(secret_of(key)).sign(webhook_id, at, body.decode()) for key in signing]
    assert headers["webhook-signature"].split(" ") == expected
    assert headers["webhook-timestamp"] == str(at_s)


@given(keys)
def test_a_secret_is_read_as_it_was_made(key: bytes) -> None:
    """Whole, and whatever its padding."""
    assert key_of(secret_of(key)) == key


@given(st.text(max_size=30) | st.text(max_size=30).map("whsec_".__add__))
def test_what_is_no_secret_is_refused_without_being_told(text: str) -> None:
    """Any text of too few characters for one."""
    reasons = "begin with whsec_|be base64 after whsec_|hold 24 to 64 bytes"
    with pytest.raises(ValueError, match=f"^a secret must ({reasons})$"):
        key_of(text)


marks = st.builds(
    lambda offset, deltas, rest, gone: Mark(
        offset=offset + (0 if deltas else rest),
        read_to=offset + max((delta + 1 for delta, _ in deltas), default=0) + rest,
        open={offset + delta - min(d for d, _ in deltas): at_s for delta, at_s in deltas},
        gone=gone,
    ),
    st.integers(0, 1 << 62),
    st.lists(
        st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 33)), max_size=MOST_OPEN, unique_by=lambda pair: pair[0]
    ),
    st.integers(0, 1 << 40),
    st.sampled_from(["", "0123456789abcdef"]),
)


@given(marks)
def test_a_mark_is_read_as_it_was_written(mark: Mark) -> None:
    """And fits into a commit's 4096 bytes, also where the log is large and all that may wait does."""
    metadata = metadata_of(mark)
    assert len(metadata) <= 4096
    assert mark_of(mark.offset, metadata) == mark


@given(st.integers(0, 1 << 62), st.text(max_size=200) | st.sampled_from(['{"v":2}', '{"v":1,"open":[[5,0]]}', "[]"]))
def test_notes_of_others_are_worth_nothing(offset: int, metadata: str) -> None:
    """As a tool leaves them that sets offsets: then all from there on is delivered."""
    assert mark_of(offset, metadata) == Mark(offset=offset, read_to=offset)


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[str, int]]:
    """What happens to a partition of 60 offsets: records are read, some delivered, and sometimes the process dies."""
    actions = st.sampled_from(["read", "deliver", "commit", "die"])
    return draw(st.lists(st.tuples(actions, st.integers(0, 59)), max_size=300))


@given(lives(), st.sets(st.integers(0, 59), max_size=40))
def test_nothing_is_lost_and_nothing_told_twice_but_what_was_not_committed(
    life: list[tuple[str, int]], markers: set[int]
) -> None:
    """Whatever happens: each record is delivered in the end, and after a commit it is never handed out again."""
    records = [offset for offset in range(60) if offset not in markers]
    committed = Mark(offset=0, read_to=0)
    window, position, waiting = PartitionWindow(committed), 0, set[int]()
    delivered, known, safe = set[int](), set[int](), set[int]()  # ever; by this process; by the last commit

    def read_next() -> None:
        nonlocal position
        offset = next((each for each in records if each >= position), None)
        if offset is None:
            window.reached_end(60)
            position = 60
            return
        first_tried_s = window.read(offset)
        position = offset + 1
        if first_tried_s is None:
            assert offset in delivered
            return
        assert offset not in safe
        window.open(offset, first_tried_s)
        waiting.add(offset)

    for action, number in life:
        if action == "read" and not window.is_full:
            read_next()
        elif action == "deliver" and waiting:
            offset = sorted(waiting)[number % len(waiting)]
            waiting.discard(offset)
            window.close(offset)
            delivered.add(offset)
            known.add(offset)
        elif action == "commit" and (mark := window.mark()) is not None:
            committed, safe = mark_of(mark.offset, metadata_of(mark)), set(known)
        elif action == "die":
            known = set(safe)
            window, position, waiting = PartitionWindow(committed), committed.offset, set()
    while position < 60:
        read_next()
    for offset in sorted(waiting):
        window.close(offset)
        delivered.add(offset)
    assert delivered == set(records)
    assert window.mark() == Mark(offset=60, read_to=60)


@pytest.mark.parametrize("cut_at", [0, 5, 30])
def test_a_log_that_was_made_anew_or_cut_is_read_as_it_is(cut_at: int) -> None:
    """Offsets before the mark belong to another log, and offsets that never come hold nothing up."""
    window = PartitionWindow(Mark(offset=10, read_to=40, open={10: 1, 20: 2}))
    for offset in range(cut_at, 50):
        window.read(offset)
    assert window.mark() == Mark(offset=50, read_to=50)
