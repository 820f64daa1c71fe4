"""The metrics of `webhooks`, in a registry of their own; what they mean stands in metric_table."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from consumer.observability import metric_table as table
from consumer.webhooks.sending import Outcome


class WebhookMetrics(Collector):
    """Thread-safe. oldest_s: the age of the oldest notice that waits, in seconds, by the endpoint's id."""

    def __init__(self, oldest_s: Callable[[], Mapping[str, float]]) -> None:
        self.registry = CollectorRegistry()
        self._oldest_s = oldest_s
        spec = table.WEBHOOK_ATTEMPTS
        self._attempts = Counter(spec.family, spec.meaning, spec.labels, registry=self.registry)
        for outcome in Outcome:  # from 0 on, so that the first one is an increase too
            self._attempts.labels(outcome)
        self.registry.register(self)

    def count(self, outcome: Outcome) -> None:
        """An attempt came to this."""
        self._attempts.labels(outcome).inc()

    def collect(self) -> Iterable[Metric]:
        """The ages, computed when they are asked for."""
        spec = table.WEBHOOK_OLDEST
        family = GaugeMetricFamily(spec.family, spec.meaning, labels=spec.labels)
        for endpoint, age_s in self._oldest_s().items():
            family.add_metric([endpoint], age_s)
        yield family
