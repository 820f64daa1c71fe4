"""uvicorn's HTTP connections, so that each comes to an end and there are only so many at once.

uvicorn has a limit of its own, which refuses whoever comes when it is reached: a prober would be refused, and the
replica taken for dead, because of strangers who ask half a question. Here it is they who have to go.
"""

import asyncio
import math
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from consumer.core.log_events import LogEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """What clients may take. A turn is a question and its answer; a kept connection has one after another.

    clients: at once; a further one takes the place of whoever's turn began first. ask_s: from a turn's beginning to the
    end of the question's headers. answer_s: from there until the answer has left. stop_s: for answers that are under
    way when the server is told to stop.
    """

    clients: int = 32
    ask_s: float = 10.0
    answer_s: float = 20.0
    stop_s: float = 1.0


class ClientGone(Exception):
    """A client does not take its answer: nothing of ours went wrong, and there is nobody to tell."""


LIMITS = ClientLimits()
_CLOSE_S = 1.0  # for a connection that is dropped to close in order, where the client still reads


class Crowd:
    """The connections that there are, the one whose turn began first in front. Used by one event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._turns: dict[LimitedConnection, None] = {}

    def __len__(self) -> int:
        return len(self._turns)

    def begin_turn(self, connection: "LimitedConnection") -> None:
        """A connection begins to ask, or to wait for its next question; whoever is too many is dropped."""
        self._turns.pop(connection, None)
        self._turns[connection] = None
        for excess in list(self._turns)[: -self._most]:
            self.leave(excess)
            excess.drop()

    def leave(self, connection: "LimitedConnection") -> None:
        self._turns.pop(connection, None)


class LimitedConfig(Config):
    """uvicorn's configuration for an application that is served in a thread, silently, within limits."""

    def __init__(self, application: Any, limits: ClientLimits) -> None:
        super().__init__(
            application,
            http=LimitedConnection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",  # a client that talks nonsense is no error of ours, and not worth a line
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=128,  # connections that wait to be accepted: the kernel makes others try again for seconds
            timeout_keep_alive=math.ceil(limits.ask_s),
            timeout_graceful_shutdown=math.ceil(limits.stop_s),
        )
        self.limits, self.crowd = limits, Crowd(limits.clients)


class LimitedConnection(H11Protocol):
    """A client's connection. What goes wrong while it is answered is logged, and ends it without an answer."""

    def __init__(
        self,
        config: LimitedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits, self._crowd = config.limits, config.crowd
        self._deadline: asyncio.TimerHandle | None = None
        self._answering: asyncio.Task[None] | None = None
        self._application, self.app = self.app, self._answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_turn()

    def on_response_complete(self) -> None:
        self._begin_turn()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leave(self)
        if self._deadline:
            self._deadline.cancel()
        if self._answering:
            self._answering.cancel()
        super().connection_lost(exc)

    def drop(self) -> None:
        """End it, with what has come but was not read yet and what was not sent yet."""
        with suppress(OSError):  # it may have ended just now
            self.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)  # read to its end, it closes in order
        self._do_in(_CLOSE_S, self.transport.abort)

    def _begin_turn(self) -> None:
        self._do_in(self._limits.ask_s, self.drop)
        self._crowd.begin_turn(self)

    def _do_in(self, seconds: float, end: Callable[[], None]) -> None:
        """Instead of what was to be done at the deadline before."""
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, end)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        self._do_in(self._limits.answer_s, self.drop)
        self._answering = asyncio.current_task()
        try:
            await self._application(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - it is in the log, and the client sees that there is none
            if not isinstance(error, ClientGone):
                structlog.get_logger().error(LogEvent.HTTP_FAILED, exc_info=error)
            self._answering = None
            self.drop()
            while (await receive())["type"] != "http.disconnect":
                pass  # so that uvicorn takes the connection for gone, and does not answer for us
        finally:
            self._answering = None
