"""The group's lag, read by a process of its own: what a record does to its reader does not end whoever asks.

After a death of that process the lag is counted by offsets for a while, without a look at any record, and then it is
tried again. By then the partition's owner has given up the record that it died of, or will have.
"""

import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import BinaryIO

import msgspec
import structlog

from consumer.adapters.kafka.lag import FRESH_S, INTERVAL_S, KafkaLagReader
from consumer.app.lag_process import LagReport, LagTask
from consumer.core.errors import BrokerUnavailable
from consumer.core.lag import Backlog
from consumer.core.log_events import LogEvent

COMMAND = (sys.executable, "-m", "consumer.app.lag_process")
REST_S, MOST_REST_S = 30.0, 300.0  # after a death, and after many in a row
_ALIVE_FOR_S = 60.0  # after so long the next death is the first again
_END_S = 5.0


class LagChild:
    """See core.lag.LagReader; `read` reads once. Thread-safe but for `start`.

    by_offsets: a reader that is never started, and asked for nothing but offsets.
    """

    def __init__(
        self,
        task: LagTask,
        by_offsets: KafkaLagReader,
        *,
        command: Sequence[str] = COMMAND,
        rest_s: float = REST_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._task, self._by_offsets, self._command, self._monotonic = task, by_offsets, command, monotonic
        self._first_rest_s = self._rest_s = rest_s
        self._process: subprocess.Popen[bytes] | None = None
        self._backlog: Backlog | None = None
        self._stopped = threading.Event()
        self._log = structlog.get_logger()
        self.trouble = ""

    def start(self) -> None:
        """Read from now on, in a thread and a process of their own."""
        threading.Thread(target=self._run, daemon=True, name="lag").start()

    def stop(self) -> None:
        """Read no more. Returns at once."""
        self._stopped.set()
        if self._process:
            self._process.kill()

    def backlog(self) -> Backlog | None:
        """The latest figures; None while they can't be had, or are not read yet."""
        found = self._backlog
        return found if found and self._monotonic() - found.taken_at < FRESH_S else None

    def read(self, *, timeout_s: float = 0.0) -> Backlog:
        """The figures now. Raises BrokerUnavailable. `trouble` tells if they are by offsets."""
        with self._child(replace(self._task, once=True, timeout_s=timeout_s)) as (_, reports):
            report = next(reports, None)
        if report is None:
            self.trouble = "the process that reads records died; counted by offsets"
            return self._by_offsets.read_offsets()
        if report.backlog is None:
            raise BrokerUnavailable(report.trouble)
        return report.backlog

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = self._monotonic()
            with self._child(self._task) as (process, reports):
                for report in reports:
                    self._backlog, self.trouble = report.backlog, report.trouble
                code = process.wait()
            if self._stopped.is_set():
                return
            if self._monotonic() - began > _ALIVE_FOR_S:
                self._rest_s = self._first_rest_s
            self._log.error(LogEvent.LAG_READER_DIED, code=code, by_offsets_for_s=self._rest_s)
            self._count_by_offsets(until=self._monotonic() + self._rest_s)
            self._rest_s = min(2 * self._rest_s, MOST_REST_S)

    def _count_by_offsets(self, *, until: float) -> None:
        while self._monotonic() < until and not self._stopped.is_set():
            try:
                self._backlog, self.trouble = self._by_offsets.read_offsets(), ""
            except BrokerUnavailable as away:
                self._backlog, self.trouble = None, str(away)
            self._stopped.wait(INTERVAL_S)

    @contextmanager
    def _child(self, task: LagTask) -> Iterator[tuple["subprocess.Popen[bytes]", Iterator[LagReport]]]:
        """One, with its reports up to its end or ours."""
        readable, writable = os.pipe()
        with os.fdopen(readable, "rb") as reports:
            process = subprocess.Popen(
                [*self._command, str(writable)],
                stdin=subprocess.PIPE,
                pass_fds=[writable],
                # Each thread's own arena would count as used, by the kernel's measure of its limit.
                env={**os.environ, "MALLOC_ARENA_MAX": "2"},
            )
            os.close(writable)
            assert process.stdin
            self._process = process
            try:
                with suppress(BrokenPipeError):  # it died at once
                    process.stdin.write(pickle.dumps(task))
                    process.stdin.flush()
                if self._stopped.is_set():
                    process.kill()
                yield process, self._reports(reports)
            finally:
                process.kill()
                process.wait(_END_S)
                with suppress(BrokenPipeError):
                    process.stdin.close()

    def _reports(self, stream: BinaryIO) -> Iterator[LagReport]:
        decoder = msgspec.json.Decoder(LagReport)
        for line in stream:
            if line.endswith(b"\n"):  # it may die over a line
                yield decoder.decode(line)
