"""What goes on beside a replica's work: its probes and metrics page, the group's lag, the watchdogs."""

from collections.abc import Mapping

from consumer.app.adapters import Adapters
from consumer.app.replica import Background
from consumer.app.status import ReplicaStatus
from consumer.app.watchdog import Watchdog
from consumer.core.errors import (
    RegistryUnavailable,
    ScannerUnavailable,
    ScratchUnavailable,
    StoreUnavailable,
    Transient,
)
from consumer.core.ports import Check
from consumer.delivery.delivery import Delivery
from consumer.observability.collectors import GroupLagCollector, ReplicaCollector
from consumer.observability.http import ProbeServer
from consumer.observability.metrics import Metrics
from consumer.observability.probes import Probes, ReplicaView
from consumer.settings import Settings

# What /ready calls each thing that a replica depends on.
_DEPENDENCIES: Mapping[type[Transient], str] = {
    ScratchUnavailable: "scratch",
    StoreUnavailable: "store",
    RegistryUnavailable: "registry",
    ScannerUnavailable: "scanner",
}


def make_background(
    settings: Settings,
    adapters: Adapters,
    delivery: Delivery,
    metrics: Metrics,
    status: ReplicaStatus,
    checks: Mapping[type[Transient], Check],
) -> Background:
    """Nothing of it goes on before it is started. Adds to the metrics what is computed at a scrape."""
    service = settings.service
    view = _view(adapters, delivery, status)
    probes = Probes(view, {name: checks[kind] for kind, name in _DEPENDENCIES.items() if kind in checks})
    replica_collector = ReplicaCollector(
        in_flight=delivery.dispatcher.in_flight,
        rebalances=lambda: delivery.poll_loop.rebalances,
        separators=view.separators,
        scratch_folder=settings.separator.scratch_dir,
        traffic=lambda: adapters.source.traffic,
    )
    lag_collector = GroupLagCollector(
        adapters.lag_reader.backlog,
        metrics.speed,
        requests_topic=settings.topics.requests,
        target_wait_s=service.target_wait_s,
        separators=len(adapters.separators),
    )
    metrics.add_collector(replica_collector.collect)
    metrics.add_collector(lag_collector.collect)
    servers: list[ProbeServer] = []

    def start() -> None:
        servers.append(ProbeServer(service.http_host, service.http_port, probes.health, metrics.registry))
        adapters.lag_reader.start()

    def close() -> None:
        adapters.lag_reader.stop()
        adapters.notices.close()
        adapters.tracer.close()
        for server in servers:
            server.close()

    return Background(
        start=start,
        close=close,
        watchdogs=(
            Watchdog("poll loop", lambda: delivery.poll_loop.last_poll),
            Watchdog("publisher", delivery.committer.sign_of_life),
        ),
    )


def _view(adapters: Adapters, delivery: Delivery, status: ReplicaStatus) -> ReplicaView:
    return ReplicaView(
        state=lambda: status.reason,
        has_begun=lambda: status.has_begun,
        last_poll=lambda: delivery.poll_loop.last_poll,
        has_joined=lambda: delivery.poll_loop.has_joined,
        overdue_s=delivery.dispatcher.overdue_s,
        source_error=lambda: adapters.source.last_error,
        publish_trouble=lambda: delivery.committer.trouble,
        separators=lambda: [separator.status for separator in adapters.separators],
    )
