"""Whatever replicas a client goes to, and whatever order they read in: each event once, and its own alone."""

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from consumer.core.model import TopicPartition
from consumer.gateway.events.cursor import Cursor
from consumer.gateway.events.vector import EventIds
from consumer.gateway.index.entry import JobState
from harness.job_log import (
    IDS,
    LETTERS,
    PROGRESS,
    REQUESTS,
    RESULTS,
    TOPICS,
    IndexOf,
    JobLog,
    asked,
    ended,
    parse_stream,
    progress,
)

OFFSETS = st.dictionaries(
    st.builds(TopicPartition, st.sampled_from(TOPICS), st.integers(0, 12)), st.integers(0, 10**12), max_size=20
)
JOBS = st.lists(
    st.tuples(
        st.sampled_from(["mine", "theirs", None]),
        st.sampled_from([JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, None]),
        st.integers(0, 3),  # how often it tells its progress
        st.booleans(),  # whether its request was written twice
    ),
    max_size=8,
)


@given(OFFSETS)
def test_an_id_is_read_as_it_was_written(positions: dict[TopicPartition, int]) -> None:
    """Whatever partitions there are."""
    assert IDS.parse(IDS.text(positions)) == positions


@given(OFFSETS, st.text(max_size=40))
def test_ids_of_other_topics_and_nonsense_are_none(positions: dict[TopicPartition, int], text: str) -> None:
    """Topics of the same names that were made anew are other topics."""
    anew = EventIds({topic: f"new id of {topic}" for topic in TOPICS})
    assert anew.parse(IDS.text(positions)) is None
    assert IDS.parse(text) is None
    assert IDS.parse(f"{IDS.text(positions)};1") is None


def write(log: JobLog, jobs: list[tuple[str | None, JobState | None, int, bool]]) -> Counter[tuple[str, str]]:
    """The log of these jobs, in the order of their lives; returns what "mine" is to be told."""
    expected: Counter[tuple[str, str]] = Counter()
    for number, (tenant, state, steps, twice) in enumerate(jobs):
        name, partition = f"job-{number}", number % 2
        _, offset = log.request(name, tenant, partition)
        if twice:
            _, offset = log.request(name, tenant, partition)
        told = [("accepted", name)]
        for step in range(steps):
            log.write(PROGRESS, partition, progress(name, step))
        match state:
            case JobState.SUCCEEDED:
                for _ in range(1 + twice):
                    log.write(RESULTS, partition, ended(name, state))
            case JobState.FAILED | JobState.CANCELLED:
                outcome = ended(name, state, partition=partition, offset=offset)
                for _ in range(1 + twice):
                    log.write(LETTERS, partition, asked(name, tenant, partition=partition, offset=offset), outcome)
        if state:
            told.append((state.value, name))
        expected.update(told if tenant == "mine" else ())
    return expected


@given(JOBS, st.data())
def test_a_client_of_several_replicas_is_told_of_each_event_once(
    jobs: list[tuple[str | None, JobState | None, int, bool]], data: st.DataObject
) -> None:
    """It goes to another replica after any event, with that event's id alone; each replica reads in its own order."""
    log = JobLog()
    expected = write(log, jobs)

    async def run() -> list[tuple[str, str, str]]:
        told: list[tuple[str, str, str]] = []
        with tempfile.TemporaryDirectory() as folder:
            sent = dict.fromkeys(log.partitions, 0)
            for visit in range(3):
                place = Path(folder, str(visit))
                place.mkdir()
                replica = IndexOf(log, place)
                read_in_any_order(replica, log, sent, data)
                after = replica.index.last_event_before(sent)
                cursor = Cursor(replica.index, IDS, "mine", None, sent=sent, after=after)
                events: list[tuple[str, str, str]] = []
                while True:
                    events += parse_stream(cursor.next_events())
                    if not cursor.is_behind:
                        if visit < 2 and data.draw(st.booleans(), label="go before it has read all"):
                            break
                        if has_read(replica, log.ends()):
                            break
                        replica.read_all()
                if visit < 2 and events:
                    events = events[: data.draw(st.integers(0, len(events)), label="read")]
                told += events
                if events:
                    sent = IDS.parse(events[-1][1]) or {}
                replica.table.close()
        return told

    told = asyncio.run(run())
    seen = [(name, json.loads(document)["id"]) for name, _, document in told]
    assert Counter(each for each in seen if each[0] != "progress") == expected
    steps = Counter((document, name) for name, _, document in told if name == "progress")
    assert all(count == 1 for count in steps.values())
    for job in {job for _, job in seen}:
        assert next(name for name, each in seen if each == job) == "accepted"


def has_read(replica: IndexOf, positions: Mapping[TopicPartition, int]) -> bool:
    """Whether it has read so far."""
    return all(replica.index.positions.get(where, 0) >= offset for where, offset in positions.items())


def read_in_any_order(replica: IndexOf, log: JobLog, at_least: dict[TopicPartition, int], data: st.DataObject) -> None:
    """Until it has read what the client has seen elsewhere, which is what a stream waits for."""
    partitions = sorted(log.partitions)
    for _ in range(data.draw(st.integers(0, 12), label="batches")):
        where = data.draw(st.sampled_from(partitions)) if partitions else TopicPartition(REQUESTS, 0)
        replica.read((where, data.draw(st.integers(1, 4))))
    for _ in range(100):
        if has_read(replica, at_least):
            return
        replica.read_all()
    raise AssertionError("it never has read so far")
