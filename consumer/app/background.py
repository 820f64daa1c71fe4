"""What goes on beside a replica's work: its probes and metrics page, the group's lag, the watchdogs."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from consumer.app.adapters import Adapters
from consumer.app.dependencies import Dependency
from consumer.app.replica import Background
from consumer.app.status import ReplicaStatus
from consumer.app.watchdog import Watchdog
from consumer.core.errors import ConsumerError
from consumer.core.log_events import LogEvent
from consumer.core.ports import Outbox
from consumer.delivery.audit_outbox import OptionalAuditOutbox
from consumer.delivery.delivery import Delivery
from consumer.observability.collectors import GroupLagCollector, ReplicaCollector
from consumer.observability.http import ProbeServer
from consumer.observability.lag import held_by_senders
from consumer.observability.metrics import Metrics
from consumer.observability.probes import Probes, ReplicaView
from consumer.settings import Settings


def make_background(
    settings: Settings,
    adapters: Adapters,
    delivery: Delivery,
    metrics: Metrics,
    status: ReplicaStatus,
    dependencies: Sequence[Dependency],
) -> Background:
    """Nothing of it goes on before it is started. Adds to the metrics what is computed at a scrape."""
    service = settings.service
    view = _view(adapters, delivery, status)
    probes = Probes(view, {dependency.name: dependency.check for dependency in dependencies})
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
        chosen = adapters.runtime
        structlog.get_logger().info(LogEvent.RUNTIME_CHOSEN, runtime=chosen.name, reason=chosen.reason)
        servers.append(ProbeServer(service.http_host, service.http_port, probes.health, metrics.registry))
        adapters.lag_reader.start()
        if inspect := adapters.inspect_brokers:
            threading.Thread(target=_tell_of_brokers, args=(inspect,), daemon=True).start()

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


def _tell_of_brokers(inspect: Callable[[], Sequence[str]]) -> None:
    """Once, beside the work: what `doctor` would find is in the log of each start."""
    log = structlog.get_logger()
    try:
        for finding in inspect():
            log.warning(LogEvent.BROKER_SETTING, finding=finding)
    except ConsumerError as error:  # they are away, or don't tell everybody: nothing rests on these lines
        log.info(LogEvent.BROKER_SETTINGS_UNKNOWN, reason=str(error))


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
        held_by_senders=lambda: held_by_senders(adapters.lag_reader.backlog(), now_s=time.time()),
        audit_trouble=lambda: _audit_trouble(adapters.outbox),
        runtime=lambda: str(adapters.runtime),
    )


def _audit_trouble(outbox: Outbox) -> str:
    """Where nothing goes on without audit events there is none beside the outcomes' own."""
    return outbox.trouble if isinstance(outbox, OptionalAuditOutbox) else ""
