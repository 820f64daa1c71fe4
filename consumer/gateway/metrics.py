"""The gateway's own metrics; what they mean stands in metric_table."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumer.observability import metric_table as table

_NO_ROUTE = "none"


class GatewayMetrics:
    """One gateway's, in a registry of their own. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            table.HTTP_REQUESTS.family,
            table.HTTP_REQUESTS.meaning,
            table.HTTP_REQUESTS.labels,
            registry=self.registry,
        )
        self._audit_lost = Counter(
            table.AUDIT_EVENTS_LOST.family, table.AUDIT_EVENTS_LOST.meaning, registry=self.registry
        )
        self._seconds = Histogram(
            table.HTTP_SECONDS.family,
            table.HTTP_SECONDS.meaning,
            table.HTTP_SECONDS.labels,
            buckets=table.HTTP_SECONDS.buckets,
            registry=self.registry,
        )

        self._uploaded = Counter(table.HTTP_UPLOADED.family, table.HTTP_UPLOADED.meaning, registry=self.registry)

    def uploaded(self, size_bytes: int) -> None:
        """So much of a file was received."""
        self._uploaded.inc(size_bytes)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is a template, "" where there is no such route."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route or _NO_ROUTE, str(status)).inc()
        self._seconds.labels(route or _NO_ROUTE).observe(seconds)

    def audit_lost(self, count: int) -> None:
        """So many audit events were given up."""
        self._audit_lost.inc(count)

    def watch(
        self,
        *,
        connections: Callable[[], int],
        streams: Callable[[], int],
        jobs: Callable[[], int],
        lag: Callable[[], float],
    ) -> None:
        """Ask these whenever the metrics are read."""
        asked = (
            (table.HTTP_OPEN, connections),
            (table.HTTP_STREAMS, streams),
            (table.INDEX_JOBS, jobs),
            (table.INDEX_LAG, lag),
        )
        for spec, ask in asked:
            Gauge(spec.family, spec.meaning, registry=self.registry).set_function(ask)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
