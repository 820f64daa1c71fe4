"""What stands before a job, beside a plain list, and beside the index's own rows."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from consumer.core.model import TopicPartition
from consumer.gateway.index.entry import JobState
from consumer.gateway.index.interpret import Meaning
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import IndexWriter, ProgressBook
from consumer.gateway.outlook.outlook import Outlook
from consumer.gateway.outlook.waiting_line import WaitingLine, Work, WorkAhead
from harness.clock import ManualClock
from harness.job_log import LETTERS, PROGRESS, REQUESTS, RESULTS, asked, ended, progress

PLACES = st.integers(0, 40)
WORKS = st.builds(
    Work, networks=st.integers(1, 5), audio_ms=st.none() | st.integers(0, 10**9)
)  # fmt: skip


@given(steps=st.lists(st.tuples(PLACES, WORKS | st.none()), max_size=120), most=st.integers(1, 8))
def test_it_is_as_a_sorted_list(steps: list[tuple[int, Work | None]], most: int) -> None:
    """Whoever comes and goes, and however small the blocks are."""
    line, plain = WaitingLine(most), dict[int, Work]()
    for place, work in steps:
        if work is None or place in plain:
            assert line.remove(place) == plain.pop(place, None)
        else:
            line.add(place, work)
            plain[place] = work
        assert len(line) == len(plain)
        assert line.first() == min(plain, default=None)
    for place in range(42):
        before = [work for at, work in plain.items() if at < place]
        unknown = [work.networks for work in before if work.audio_ms is None]
        assert line.get(place) == plain.get(place)
        assert line.before(place) == WorkAhead(
            jobs=len(before),
            network_ms=sum(work.networks * work.audio_ms for work in before if work.audio_ms is not None),
            unknown_networks=sum(unknown),
            unknown_squares=sum(number**2 for number in unknown),
        )


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "again", "go on", "fail", "succeed"]), st.integers(0, 7)), max_size=50
)


@given(steps=STEPS)
def test_ahead_is_what_the_index_holds(steps: list[tuple[str, int]]) -> None:
    """Whatever comes of jobs: those that were asked for earlier and have not ended; it never grows while one waits."""
    clock = ManualClock()
    outlook, waited = Outlook(clock=clock), dict[str, int]()
    with TemporaryDirectory() as folder:
        table = JobTable(Path(folder))
        writer = IndexWriter(table, ProgressBook(), requests_topic=REQUESTS, on_change=outlook.note)
        for number, (step, job) in enumerate(steps):
            clock.advance(1)
            at_ms = round(clock.now().timestamp() * 1000)
            request_id, partition = f"job-{job}", job % 3
            before = table.get(request_id)
            meaning: Meaning
            match step:
                case "ask" | "again":
                    topic, meaning = REQUESTS, asked(request_id, partition=partition, offset=number, at_ms=at_ms)
                case "go on":
                    topic, meaning = PROGRESS, progress(request_id, 1, at_ms=at_ms)
                case "fail":
                    topic = LETTERS
                    meaning = ended(request_id, JobState.FAILED, partition=partition, offset=number, at_ms=at_ms)
                case _:
                    topic, meaning = RESULTS, ended(request_id, JobState.SUCCEEDED, at_ms=at_ms)
            writer.apply_record(meaning, (TopicPartition(topic, 0), number))
            table.commit()
            if before is None or before.state.has_ended or step == "again":
                waited.pop(request_id, None)
            rows = [table.get(f"job-{each}") for each in range(8)]
            unfinished = [row for row in rows if row is not None and row.request and not row.state.has_ended]
            for row in unfinished:
                told = outlook.of(row)["queue"]["ahead"]
                is_begun = row.state is JobState.RUNNING  # within the last minute: a step is a second
                expected = 0 if is_begun else sum(other.accepted_ms < row.accepted_ms for other in unfinished)
                assert told == expected
                assert told <= waited.get(row.request_id, told)
                waited[row.request_id] = told
        table.close()
