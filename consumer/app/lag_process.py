"""The process that reads the group's lag: `python -m consumer.app.lag_process`, for `consumer.app.lag_child` alone.

It reads each unfinished record, whatever a stranger wrote into it, so it may die at any moment, and of little: its
memory is bounded. On standard input it gets its task; it ends when that is closed. To the descriptor that is its
argument it writes reports, JSON, one a line.
"""

import logging
import os
import pickle
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from consumer.adapters.factories import make_codec
from consumer.adapters.kafka.lag import KafkaLagReader
from consumer.core.errors import BrokerUnavailable
from consumer.core.lag import Backlog
from consumer.core.version import VERSION
from consumer.observability import logging as logs
from consumer.observability.lag import PacedEstimator, RequestEstimator
from consumer.settings import KafkaSettings, LogSettings, SchemaSettings, TopicSettings

MAX_MEMORY_BYTES = 512 << 20  # of address space, of which it takes 225 MB before it has read anything
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class LagTask:
    """Whose lag is read. instance_id: whose log lines its own are; once: one report, within timeout_s."""

    kafka: KafkaSettings
    topics: TopicSettings
    retry_topics: Sequence[str]
    schema: SchemaSettings
    instance_id: str | None = None
    once: bool = False
    timeout_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LagReport:
    """The latest figures, or why there are none."""

    backlog: Backlog | None
    trouble: str = ""


def make_reader(task: LagTask) -> KafkaLagReader:
    """With a codec of its own. Raises SettingsError."""
    estimate = PacedEstimator(RequestEstimator(make_codec(task.schema, task.topics)))
    return KafkaLagReader(task.kafka, [task.topics.requests, *task.retry_topics], estimate)


def run(task: LagTask, tell: Callable[[LagReport], None]) -> None:
    """Carry the task out; returns once it is done, which is never unless it is for one report."""
    reader = make_reader(task)
    if task.once:
        try:
            tell(LagReport(backlog=reader.read_once(timeout_s=task.timeout_s)))
        except BrokerUnavailable as away:
            tell(LagReport(backlog=None, trouble=str(away)))
        return
    reader.start()
    told: LagReport | None = None
    while True:
        report = LagReport(backlog=reader.backlog(), trouble=reader.trouble)
        if report != told:
            tell(report)
            told = report
        time.sleep(_LOOK_S)


def main() -> None:
    # Whoever stops the service signals each of its processes: this one ends with its input.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    reports = os.fdopen(int(sys.argv[1]), "wb")
    task: LagTask = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our own parent
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    if task.instance_id is not None:
        log = LogSettings.load()
        logs.configure(log.level, log.format, instance_id=task.instance_id, version=VERSION)
    else:  # without a handler Python prints what librdkafka complains of
        logging.getLogger("librdkafka").addHandler(logging.NullHandler())

    def tell(report: LagReport) -> None:
        reports.write(msgspec.json.encode(report) + b"\n")
        reports.flush()

    with suppress(BrokenPipeError):
        run(task, tell)
    os._exit(0)


def _end_with(stream: BinaryIO) -> None:
    stream.read()
    os._exit(0)


if __name__ == "__main__":
    main()
