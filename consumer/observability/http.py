"""The probes and the metrics page, on one port: /health, /ready, /started, /metrics."""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from consumer.core.errors import Fatal

# A probe returns what is wrong, in words, or "" if nothing is.
Probe = Callable[[], str]

_CLIENT_S = 10.0  # a client that takes longer to ask, or to listen, is dropped
_CLIENTS = 32  # at once; a further one takes the place of whoever has been at it for longest


class Health:
    """`live` is asked by /health: is anything here stuck for good? `ready` by /ready: can this replica do its work?

    `started` by /started: has it begun? Until then nobody should ask whether it is stuck. `notes` stand on /ready too,
    but keep nobody from working, whatever they say.
    """

    def __init__(
        self,
        live: Mapping[str, Probe],
        ready: Mapping[str, Probe],
        started: Mapping[str, Probe] | None = None,
        notes: Mapping[str, Probe] | None = None,
    ) -> None:
        self._live, self._ready, self._started, self._notes = live, ready, started or {}, notes or {}

    def live(self) -> dict[str, str]:
        return {name: probe() for name, probe in self._live.items()}

    def ready(self) -> dict[str, str]:
        return {name: probe() for name, probe in self._ready.items()}

    def started(self) -> dict[str, str]:
        return {name: probe() for name, probe in self._started.items()}

    def notes(self) -> dict[str, str]:
        return {name: probe() for name, probe in self._notes.items()}


class ProbeServer:
    """Serves until it is closed. Raises Fatal if the address can't be had."""

    def __init__(self, host: str, port: int, health: Health, registry: CollectorRegistry) -> None:
        pages: dict[str, Callable[[str], tuple[int, str, bytes]]] = {
            "/health": lambda accept: _probe_page(health.live()),
            "/ready": lambda accept: _probe_page(health.ready(), health.notes()),
            "/started": lambda accept: _probe_page(health.started()),
            "/metrics": lambda accept: _metrics_page(registry, accept),
        }

        class Handler(BaseHTTPRequestHandler):
            timeout = _CLIENT_S  # for each read and write alone; the server sees to the whole
            protocol_version = "HTTP/1.1"
            server: _Server

            def handle_one_request(self) -> None:
                self.server.note(self.connection)
                super().handle_one_request()

            def do_GET(self) -> None:
                page = pages.get(self.path.partition("?")[0])
                status, kind, body = (
                    page(self.headers.get("Accept", "")) if page else (404, "text/plain", b"not found\n")
                )
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        try:
            self._server = _Server((host, port), Handler)
        except OSError as error:
            raise Fatal(f"HTTP_HOST, HTTP_PORT: can't listen on {host}:{port}: {error.strerror}") from error
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """A thread a client, but only so many, and none for ever: whoever never comes to an end can't keep others out."""

    daemon_threads = True
    request_queue_size = 128  # of connections that wait to be accepted: the kernel makes others try again for seconds

    def __init__(self, *arguments: Any) -> None:
        self._since: dict[socket.socket, float] = {}  # connection -> when its present request began, oldest first
        self._lock = threading.Lock()
        super().__init__(*arguments)

    def note(self, connection: socket.socket) -> None:
        """A connection begins to ask, or to wait for its next question."""
        with self._lock:
            self._since.pop(connection, None)
            self._since[connection] = time.monotonic()
            excess = list(self._since)[:-_CLIENTS]
        self._drop(excess)

    def service_actions(self) -> None:
        """Called by `serve_forever` twice a second."""
        latest = time.monotonic() - 2 * _CLIENT_S
        with self._lock:
            late = [connection for connection, since in self._since.items() if since < latest]
        self._drop(late)

    def _drop(self, connections: list[socket.socket]) -> None:
        for connection in connections:
            with suppress(OSError):  # it may have ended just now
                connection.shutdown(socket.SHUT_RDWR)  # which ends its thread, and that closes it

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._since.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A client that went away is no error of ours, and not worth a line."""
        if not isinstance(sys.exception(), OSError):
            structlog.get_logger().error("http.failed", exc_info=sys.exception())


def _probe_page(findings: Mapping[str, str], notes: Mapping[str, str] | None = None) -> tuple[int, str, bytes]:
    is_well = not any(findings.values())
    checks = {name: words or "ok" for name, words in findings.items()} | dict(notes or {})
    told = {"status": "ok" if is_well else "unavailable", "checks": checks}
    return (200 if is_well else 503), "application/json", json.dumps(told, indent=1).encode() + b"\n"


def _metrics_page(registry: CollectorRegistry, accept: str) -> tuple[int, str, bytes]:
    if "application/openmetrics-text" in accept:
        body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return 200, openmetrics.CONTENT_TYPE_LATEST, body
    return 200, "text/plain; version=0.0.4; charset=utf-8", generate_latest(registry)
