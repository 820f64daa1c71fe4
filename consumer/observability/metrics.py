"""Every metric, declared once. Seconds and bytes only; no label ever holds an id, a key or a stranger's words."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from consumer.core.errors import Code
from consumer.core.tracing import TraceContext
from consumer.observability.throughput import Throughput

_NAMESPACE = "separation"
_STAGE_BUCKETS_S = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0)


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.speed = Throughput()
        self.build = Info("build", "What this replica is", registry=self.registry, namespace=_NAMESPACE)
        self.jobs = Counter(
            "jobs", "Records that got their outcome, by outcome (done, retried, dead_lettered) and dead-letter code",
            ["outcome", "code"], registry=self.registry, namespace=_NAMESPACE,
        )  # fmt: skip
        self.stage_seconds = Histogram(
            "stage_seconds",
            "Time a record spent in a stage",
            ["stage"],
            buckets=_STAGE_BUCKETS_S,
            registry=self.registry,
            namespace=_NAMESPACE,
        )
        self.audio_seconds = Counter(
            "audio_seconds", "Audio that was separated", ["model"], registry=self.registry, namespace=_NAMESPACE
        )
        self.retries = Counter(
            "retries",
            "Steps tried again, in place or through a retry topic, and looks whether what they need is back",
            ["stage"],
            registry=self.registry,
            namespace=_NAMESPACE,
        )
        self.dead_letters = Counter(
            "dead_letters", "Dead letters published", ["code"], registry=self.registry, namespace=_NAMESPACE
        )
        # From 0 on, so that the first one is an increase too.
        for code in Code:
            self.dead_letters.labels(code)
            self.jobs.labels("dead_lettered", code)
        for outcome in ("done", "retried"):
            self.jobs.labels(outcome, "")
        self.realtime_factor = Gauge(
            "realtime_factor",
            "Seconds of audio separated a second of work, recently",
            ["model"],
            registry=self.registry,
            namespace=_NAMESPACE,
        )

    def passed(self, stage: str, seconds: float, trace: TraceContext | None) -> None:
        """A record spent that time in a stage; a trace that is kept stands beside it as its example."""
        exemplar = {"trace_id": trace.trace_id} if trace and trace.is_sampled else None
        self.stage_seconds.labels(stage).observe(seconds, exemplar)

    def separated(self, model: str, *, audio_s: float, work_s: float) -> None:
        """A track of audio_s was separated in work_s."""
        self.audio_seconds.labels(model).inc(audio_s)
        self.speed.note(model, audio_s=audio_s, work_s=work_s)
        self.realtime_factor.labels(model).set(self.speed.realtime_factors()[model])

    def add_collector(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Metrics that are computed when they are asked for."""
        self.registry.register(_Computed(collect))


class _Computed(Collector):
    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()
