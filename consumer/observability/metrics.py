"""The metrics that are counted as things happen, in a registry of their own; what they mean stands in metric_table."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from consumer.core.errors import Code
from consumer.core.tracing import TraceContext
from consumer.observability import metric_table as table
from consumer.observability.metric_table import MetricSpec
from consumer.observability.throughput import Throughput


class Metrics:
    """One replica's metrics. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.speed = Throughput()
        self.build = Info(table.BUILD.family, table.BUILD.meaning, registry=self.registry)
        self.jobs = self._counter(table.JOBS)
        self.stage_seconds = Histogram(
            table.STAGE_SECONDS.family,
            table.STAGE_SECONDS.meaning,
            table.STAGE_SECONDS.labels,
            buckets=table.STAGE_SECONDS.buckets,
            registry=self.registry,
        )
        self.audio_seconds = self._counter(table.AUDIO_SECONDS)
        self.retries = self._counter(table.RETRIES)
        self.outage_checks = self._counter(table.OUTAGE_CHECKS)
        self.dead_letters = self._counter(table.DEAD_LETTERS)
        self.audit_events_lost = self._counter(table.AUDIT_EVENTS_LOST)
        # From 0 on, so that the first one is an increase too.
        for code in Code:
            self.dead_letters.labels(code)
            self.jobs.labels("dead_lettered", code)
        for outcome in ("done", "retried"):
            self.jobs.labels(outcome, "")
        self.realtime_factor = Gauge(
            table.REALTIME_FACTOR.family,
            table.REALTIME_FACTOR.meaning,
            table.REALTIME_FACTOR.labels,
            registry=self.registry,
        )

    def _counter(self, spec: MetricSpec) -> Counter:
        return Counter(spec.family, spec.meaning, spec.labels, registry=self.registry)

    def passed(self, stage: str, seconds: float, trace: TraceContext | None) -> None:
        """A record spent that time in a stage; a trace that is kept stands beside it as its example."""
        exemplar = {"trace_id": trace.trace_id} if trace and trace.is_sampled else None
        self.stage_seconds.labels(stage).observe(seconds, exemplar)

    def separated(self, model: str, *, audio_s: float, work_s: float) -> None:
        """A track of audio_s was separated in work_s."""
        self.audio_seconds.labels(model).inc(audio_s)
        self.speed.record(model, audio_s=audio_s, work_s=work_s)
        self.realtime_factor.labels(model).set(self.speed.realtime_factors()[model])

    def add_collector(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Metrics that are computed when they are asked for."""
        self.registry.register(_Computed(collect))


class _Computed(Collector):
    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()
