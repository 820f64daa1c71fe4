"""Metrics that are computed when a scrape asks for them: of this replica's parts, and of the whole group's lag."""

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from consumer.core.lag import Backlog
from consumer.core.model import Usage
from consumer.core.ports import SeparatorStatus, Traffic
from consumer.observability import metric_table as table
from consumer.observability.lag import desired_replicas
from consumer.observability.metric_table import MetricSpec
from consumer.observability.process_usage import own_usage
from consumer.observability.throughput import Throughput


class Spent:
    """Processor time of processes that may be started again, and then count from 0."""

    def __init__(self) -> None:
        self._total_s = 0.0
        self._seen_s: list[float] = []
        self._lock = threading.Lock()  # two scrapes may meet

    def total_s(self, usages: Sequence[Usage]) -> float:
        with self._lock:
            seen_s = self._seen_s or [0.0] * len(usages)
            now_s = [usage.cpu_s for usage in usages]
            self._total_s += sum(now - (seen if now >= seen else 0.0) for now, seen in zip(now_s, seen_s, strict=True))
            self._seen_s = now_s
            return self._total_s


class ReplicaCollector:
    """What this replica's parts are at, and what it uses.

    in_flight: records at work. rebalances: how often the assigned partitions changed. scratch_folder: any folder on the
    disk where tracks lie while they are worked on; it may not be there yet.
    """

    def __init__(
        self,
        *,
        in_flight: Callable[[], int],
        rebalances: Callable[[], int],
        separators: Callable[[], Sequence[SeparatorStatus]],
        scratch_folder: Path,
        traffic: Callable[[], Traffic],
    ) -> None:
        self._in_flight, self._rebalances, self._separators = in_flight, rebalances, separators
        self._scratch_folder, self._traffic = scratch_folder, traffic
        self._spent = {"consumer": Spent(), "separator": Spent(), "ffmpeg": Spent()}

    def collect(self) -> Iterable[Metric]:
        statuses = self._separators()
        yield _gauge(table.IN_FLIGHT, self._in_flight())
        yield _counter(table.REBALANCES, self._rebalances())
        yield _counter(table.SEPARATOR_RESTARTS, sum(status.restarts for status in statuses))
        free = _gauge(table.SCRATCH_FREE)
        with contextlib.suppress(OSError):  # it may not be there yet
            free.add_metric([], shutil.disk_usage(self._scratch_folder).free)
        yield free
        yield from self._usage(statuses)
        traffic = self._traffic()
        yield _counter(table.KAFKA_RECEIVED, traffic.received_bytes)
        yield _counter(table.KAFKA_SENT, traffic.sent_bytes)
        yield _gauge(table.KAFKA_ROUND_TRIP, traffic.round_trip_s)

    def _usage(self, statuses: Sequence[SeparatorStatus]) -> Iterable[Metric]:
        cpu, memory = _counter(table.PROCESS_CPU), _gauge(table.PROCESS_MEMORY)
        used = {
            "consumer": [own_usage()],
            "separator": [status.own for status in statuses],
            "ffmpeg": [status.ffmpeg for status in statuses],
        }
        for process, usages in used.items():
            cpu.add_metric([process], self._spent[process].total_s(usages))
            memory.add_metric([process], sum(usage.memory_bytes for usage in usages))
        yield cpu
        yield memory


class GroupLagCollector:
    """The whole group's lag, as each replica tells it: in PromQL take `max by (topic, partition)` before any sum.

    Where the figures can't be had, the series vanish: an old figure would keep a scaler from acting, or make it act.
    clock: seconds since the epoch.
    """

    def __init__(
        self,
        backlog: Callable[[], Backlog | None],
        speed: Throughput,
        *,
        requests_topic: str,
        target_wait_s: float,
        separators: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._backlog, self._speed, self._clock = backlog, speed, clock
        self._requests_topic, self._target_wait_s, self._separators = requests_topic, target_wait_s, separators

    def collect(self) -> Iterable[Metric]:
        messages, seconds = _gauge(table.LAG_MESSAGES), _gauge(table.LAG_SECONDS)
        held, held_s = _gauge(table.OPEN_TRANSACTION_MESSAGES), _gauge(table.OPEN_TRANSACTION_SECONDS)
        work, desired = _gauge(table.BACKLOG_WORK), _gauge(table.DESIRED_REPLICAS)
        if backlog := self._backlog():
            now_s = self._clock()
            for lag in backlog.lags:
                where = [lag.partition.topic, str(lag.partition.partition)]
                messages.add_metric(where, lag.messages)
                seconds.add_metric(where, lag.waited_s(now_s))
                held.add_metric(where, lag.held)
                held_s.add_metric(where, lag.held_s(now_s))
            work_s = self._speed.work_s(backlog.demand())
            work.add_metric([], work_s)
            wanted = desired_replicas(
                backlog,
                work_s,
                target_wait_s=self._target_wait_s,
                separators=self._separators,
                topic=self._requests_topic,
            )
            desired.add_metric([], wanted)
        return messages, seconds, held, held_s, work, desired


def _gauge(spec: MetricSpec, value: float | None = None) -> GaugeMetricFamily:
    """Its family, with its one value where it has no labels and there is one."""
    return GaugeMetricFamily(spec.family, spec.meaning, value, spec.labels if value is None else None)


def _counter(spec: MetricSpec, value: float | None = None) -> CounterMetricFamily:
    """As _gauge."""
    return CounterMetricFamily(spec.family, spec.meaning, value, spec.labels if value is None else None)
