"""What goes on beside a replica's work: its probes and metrics page, the group's lag, the watchdogs."""

from consumer.app.parts import scratch_folder
from consumer.app.replica import Background
from consumer.app.watchdog import Watchdog
from consumer.core.errors import RegistryUnavailable, ScannerUnavailable, StoreUnavailable
from consumer.observability.collectors import GroupLagCollector, ReplicaCollector
from consumer.observability.http import ProbeServer
from consumer.observability.probes import Probes
from consumer.pipeline.scratch import Scratch


class _View:
    def __init__(self, settings, adapters, delivery, status):
        self.loop, self.committer, self.dispatcher = delivery.poll_loop, delivery.committer, delivery.dispatcher
        self.separators, self._status = adapters.separators, status
        self.scratch = Scratch(scratch_folder(settings))

    @property
    def state(self):
        return self._status.reason

    @property
    def has_begun(self):
        return self._status.has_begun


def make_background(settings, adapters, delivery, metrics, checks, status) -> Background:
    service = settings.service
    view = _View(settings, adapters, delivery, status)
    probes = Probes(
        view,
        source_error=lambda: adapters.source.last_error,
        check_store=checks[StoreUnavailable],
        check_registry=checks.get(RegistryUnavailable),
        check_scanner=checks.get(ScannerUnavailable),
    )
    metrics.add_collector(ReplicaCollector(view, lambda: adapters.source.traffic).collect)
    group_lag = GroupLagCollector(
        adapters.lag_reader.backlog,
        metrics.speed,
        requests_topic=settings.topics.requests,
        target_wait_s=service.target_wait_s,
        separators=len(adapters.separators),
    )
    metrics.add_collector(group_lag.collect)

    def start() -> None:
        ProbeServer(service.http_host, service.http_port, probes.health, metrics.registry)
        adapters.lag_reader.start()

    def close() -> None:
        adapters.lag_reader.stop()
        adapters.notices.close()
        adapters.tracer.close()

    return Background(
        start=start,
        close=close,
        watchdogs=(
            Watchdog("poll loop", lambda: delivery.poll_loop.last_poll),
            Watchdog("publisher", delivery.committer.sign_of_life),
        ),
    )
