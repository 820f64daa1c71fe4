"""Metrics that are computed when a scrape asks for them: of this replica's parts, and of the whole group's lag."""

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from consumer.app.replica import Replica
from consumer.core.model import Usage
from consumer.core.ports import Traffic
from consumer.observability.lag import Backlog, desired_replicas
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
    """What this replica's parts are at, and what it uses."""

    def __init__(self, replica: Replica, traffic: Callable[[], Traffic]) -> None:
        self._replica, self._traffic = replica, traffic
        self._spent = {"consumer": Spent(), "separator": Spent(), "ffmpeg": Spent()}

    def collect(self) -> Iterable[Metric]:
        replica = self._replica
        yield GaugeMetricFamily(
            "separation_in_flight", "Records at work in this replica", value=replica.dispatcher.in_flight()
        )
        yield CounterMetricFamily(
            "separation_rebalances", "Changes of the assigned partitions", value=replica.loop.rebalances
        )
        yield CounterMetricFamily(
            "separation_separator_restarts",
            "Separator processes started again",
            value=sum(s.status.restarts for s in replica.separators),
        )
        free = GaugeMetricFamily(
            "separation_scratch_free_bytes", "Free space where tracks lie while they are worked on"
        )
        with contextlib.suppress(OSError):  # it may not be there yet
            free.add_metric([], shutil.disk_usage(replica.scratch.folder.parent).free)
        yield free
        yield from self._usage()
        traffic = self._traffic()
        yield CounterMetricFamily(
            "separation_kafka_received_bytes",
            "Bytes from the brokers, group traffic included",
            value=traffic.received_bytes,
        )
        yield CounterMetricFamily("separation_kafka_sent_bytes", "Bytes to the brokers", value=traffic.sent_bytes)
        yield GaugeMetricFamily(
            "separation_kafka_round_trip_seconds",
            "Mean time that the slowest broker took to answer, fetches that wait included",
            value=traffic.round_trip_s,
        )

    def _usage(self) -> Iterable[Metric]:
        cpu = CounterMetricFamily(
            "separation_process_cpu_seconds",
            "Processor time, by process: consumer, separator, ffmpeg",
            labels=["process"],
        )
        memory = GaugeMetricFamily("separation_process_memory_bytes", "Resident memory, by process", labels=["process"])
        statuses = [separator.status for separator in self._replica.separators]
        used = {
            "consumer": [own_usage()],
            "separator": [s.own for s in statuses],
            "ffmpeg": [s.ffmpeg for s in statuses],
        }
        for process, usages in used.items():
            cpu.add_metric([process], self._spent[process].total_s(usages))
            memory.add_metric([process], sum(usage.memory_bytes for usage in usages))
        yield cpu
        yield memory


class GroupLagCollector:
    """The whole group's lag, as each replica tells it: in PromQL take `max by (topic, partition)` before any sum.

    Where the figures can't be had, the series vanish: an old figure would keep a scaler from acting, or make it act.
    """

    def __init__(
        self,
        backlog: Callable[[], Backlog | None],
        speed: Throughput,
        *,
        requests_topic: str,
        target_wait_s: float,
        separators: int,
    ) -> None:
        self._backlog, self._speed = backlog, speed
        self._requests_topic, self._target_wait_s, self._separators = requests_topic, target_wait_s, separators

    def collect(self) -> Iterable[Metric]:
        labels = ["topic", "partition"]
        messages = GaugeMetricFamily(
            "separation_lag_messages",
            "Records of the group without an outcome, whoever owns the partition",
            labels=labels,
        )
        seconds = GaugeMetricFamily(
            "separation_lag_seconds", "Age of the oldest record without an outcome", labels=labels
        )
        work = GaugeMetricFamily(
            "separation_backlog_work_seconds", "Time that one separator would need for all records without an outcome"
        )
        desired = GaugeMetricFamily(
            "separation_desired_replicas", "Replicas that would do this work within TARGET_WAIT_S"
        )
        if backlog := self._backlog():
            now_s = time.time()
            for lag in backlog.lags:
                where = [lag.partition.topic, str(lag.partition.partition)]
                messages.add_metric(where, lag.messages)
                seconds.add_metric(where, lag.waited_s(now_s))
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
        return messages, seconds, work, desired
