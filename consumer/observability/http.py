"""The probes and the metrics page, on one port: /health, /ready, /started, /metrics."""

import asyncio
import socket
import threading

from prometheus_client import CollectorRegistry
from uvicorn import Server

from consumer.core.errors import Fatal
from consumer.observability.connections import LIMITS, ClientLimits, LimitedConfig
from consumer.observability.health import Health
from consumer.observability.site import Site


class ProbeServer:
    """Serves, in a thread of its own, until it is closed. Raises Fatal if the address can't be had.

    port: where it listens, also where any free one was asked for by 0.
    """

    def __init__(
        self, host: str, port: int, health: Health, registry: CollectorRegistry, *, limits: ClientLimits = LIMITS
    ) -> None:
        listening = listen(host, port)
        self.port = int(listening.getsockname()[1])
        self._config = LimitedConfig(Site(health, registry), limits)
        self._server = Server(self._config)
        self._thread = threading.Thread(target=self._serve, args=(listening,), daemon=True, name="http")
        self._thread.start()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._config.crowd)

    def close(self) -> None:
        """Stop serving; returns when the port is free."""
        self._server.should_exit = True
        self._thread.join()

    def _serve(self, listening: socket.socket) -> None:
        asyncio.run(self._server.serve([listening]))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; `::` takes IPv4's clients as well."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        # Of a socket that does not name its protocol asyncio does not take TCP's delay away: 40 ms an answer.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listening.bind(address)
            listening.listen()
        except OSError:
            listening.close()
            raise
    except OSError as error:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise Fatal(f"HTTP_HOST, HTTP_PORT: can't listen on {place}: {error.strerror}") from error
    return listening
