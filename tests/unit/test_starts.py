"""Starts of the separator: counted where that survives us, and timed from when it really begins."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from consumer.adapters.avro import AvroCodec
from consumer.errors import Code, Rejected, WorkerCrashed
from consumer.lease import Ticket
from consumer.ledger import Ledger
from consumer.model import LocalTrack, ObjectFacts, Separation
from consumer.progress import ProgressReporter
from consumer.starts import MAX_STARTS, CountedStarts
from tests.support.fakes import FakeNotices, FakeSeparator, a_job
from tests.unit.test_ledger import T0, admit, take

BUDGET_S = 3600.0


class Noted(Ledger):
    """A ledger whose notes are committed as soon as they are written; `meanwhile` is called before."""

    meanwhile: Callable[[Ticket], None] = staticmethod(lambda ticket: None)

    def note_start(self, ticket: Ticket) -> None:
        self.meanwhile(ticket)
        ticket.lease.starts[ticket.record.offset] = self.starts(ticket) + 1


class Bench:
    """Counted starts over a ledger of one partition."""

    def __init__(self, folder: Path, *script: Exception | None) -> None:
        self.folder, self.separator = folder, FakeSeparator(*script)
        self.ledger = Noted(object)
        self.ledger.open([T0])
        self.ledger.begin(T0, None)
        progress = ProgressReporter(FakeNotices(), AvroCodec(), topic="progress", instance_id="i")
        self.starts = CountedStarts(ledger=self.ledger, progress=progress, max_job_s=BUDGET_S)

    def ticket(self, offset: int = 0) -> Ticket:
        admit(self.ledger, T0, offset)
        return take(self.ledger)

    def separate(self, ticket: Ticket, separator: Any = None) -> Separation:
        source = ObjectFacts(bucket="in", key="a.mp3", etag="e", size_bytes=1)
        track = LocalTrack(job=a_job(), source=source, path=self.folder / "a.mp3", sha256="0" * 64)
        with capture_logs():
            return self.starts.separate(ticket, track, separator or self.separator, structlog.get_logger())


def test_waiting_to_begin_is_not_the_jobs_time(tmp_path: Path) -> None:
    """The clock stands still while models load and Kafka is waited for, and a start after a crash gets no more time."""
    bench = Bench(tmp_path, WorkerCrashed("signal 9"), None)
    ticket, waiting, working = bench.ticket(), [], []
    separate = bench.separator.separate

    def slow(*arguments: Any, cancel: Any, **rest: Any) -> Separation:
        working.append(cancel.remaining_s())
        cancel.extend(-600.0)  # as if it had taken ten minutes
        return separate(*arguments, cancel=cancel, **rest)

    bench.separator.prepare = lambda cancel: waiting.append(cancel.remaining_s())  # type: ignore[method-assign]
    bench.ledger.meanwhile = lambda ticket: waiting.append(ticket.cancellation.remaining_s())
    bench.separator.separate = slow  # type: ignore[method-assign]
    bench.separate(ticket)
    assert waiting == [None] * 4
    assert working == pytest.approx([BUDGET_S, BUDGET_S - 600.0], abs=60.0)
    assert ticket.cancellation.remaining_s() == pytest.approx(BUDGET_S - 1200.0, abs=60.0)


def test_a_start_that_is_no_crash_is_taken_back(tmp_path: Path) -> None:
    """Success and any error but a crash leave no start behind; a crash leaves one, and three are all there are."""
    bench = Bench(tmp_path, None, Rejected(Code.AUDIO_EMPTY, "empty"))
    first, second, third = bench.ticket(0), bench.ticket(1), bench.ticket(2)
    bench.separate(first)
    with pytest.raises(Rejected):
        bench.separate(second)
    assert (bench.ledger.starts(first), bench.ledger.starts(second)) == (0, 0)
    bench.separator.script.extend([WorkerCrashed("signal 9")] * MAX_STARTS)
    with pytest.raises(Rejected, match="died over it 3 times"):
        bench.separate(third)
    assert bench.ledger.starts(third) == MAX_STARTS
