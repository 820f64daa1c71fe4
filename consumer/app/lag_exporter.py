"""A small exporter of the group's lag: what waits is seen also where no replica runs to tell it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from consumer.app.signals import handled
from consumer.core.lag import LagReader
from consumer.observability.collectors import GroupLagCollector
from consumer.observability.health import Health
from consumer.observability.http import ProbeServer
from consumer.observability.lag import held_by_senders
from consumer.observability.throughput import Throughput
from consumer.settings import ServiceSettings

_UNKNOWN = "the group's lag is not known: no broker has told it in the last seconds"


class LagExporter:
    """Serves the group's lag on HTTP_HOST:HTTP_PORT from its making until it is closed. Raises Fatal where it can't.

    Its metrics have the names that replicas give them. Having separated nothing, it assumes how fast a separator is, so
    where replicas run, their `separation_backlog_work_seconds` and `separation_desired_replicas` are the better ones.
    separators: how many each replica has.
    """

    def __init__(self, reader: LagReader, service: ServiceSettings, *, requests_topic: str, separators: int) -> None:
        self._reader, registry = reader, CollectorRegistry()
        collector = GroupLagCollector(
            reader.backlog,
            Throughput(),
            requests_topic=requests_topic,
            target_wait_s=service.target_wait_s,
            separators=separators,
        )
        registry.register(collector)
        health = Health(live={}, ready={"group": self._trouble}, notes={"senders": self._held})
        self._server = ProbeServer(service.http_host, service.http_port, health, registry)
        self.port = self._server.port
        reader.start()

    def close(self) -> None:
        """Read and serve no more; returns when the port is free."""
        self._reader.stop()
        self._server.close()

    def _held(self) -> str:
        return held_by_senders(self._reader.backlog(), now_s=time.time())

    def _trouble(self) -> str:
        return "" if self._reader.backlog() else f"{_UNKNOWN}: {self._reader.trouble}".removesuffix(": ")


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM, SIGINT and SIGHUP set, in the main thread, as long as this lasts."""
    stopped = threading.Event()
    with handled(lambda *_: stopped.set()):
        yield stopped
