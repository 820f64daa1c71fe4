"""Serves the gateway's application, until it is told to stop."""

from collections.abc import Iterator
from contextlib import contextmanager

from uvicorn import Server

from consumer.gateway.middleware import App, Receive, Scope, Send
from consumer.observability.connections import ClientLimits, LimitedConfig
from consumer.observability.http import listen
from consumer.observability.site import PATHS, Site

_ASK_S = 10.0  # for the headers of a request
_ANSWER_S = 24 * 3600.0  # streams end by themselves, and bodies have times of their own


class GatewayServer:
    """Listens from its making; `port` says where, also if any was asked for by 0. Raises Fatal if it can't."""

    def __init__(self, app: App, site: Site, *, host: str, port: int, clients: int, stop_s: float) -> None:
        self._listening = listen(host, port)
        self.port = int(self._listening.getsockname()[1])
        limits = ClientLimits(clients=clients, ask_s=_ASK_S, answer_s=_ANSWER_S, stop_s=stop_s)
        self._config = LimitedConfig(_Either(site, app), limits)
        self._server = _QuietServer(self._config)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._config.crowd)

    def stop(self) -> None:
        """Take no more requests, and end once those under way are answered. From a signal's handler too."""
        self._server.should_exit = True

    async def serve(self) -> None:
        """Returns once it was stopped."""
        await self._server.serve([self._listening])


class _QuietServer(Server):
    """Whoever runs it listens to signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Either:
    """Probes and metrics by the site, everything else by the application."""

    def __init__(self, site: Site, app: App) -> None:
        self._site, self._app = site, app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in PATHS:
            await self._site(scope, receive, send)  # type: ignore[arg-type]
        else:
            await self._app(scope, receive, send)
