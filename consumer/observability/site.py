"""The ASGI application behind the probes and the metrics page. Each page is made in a thread of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from prometheus_client import CollectorRegistry

from consumer.observability.health import Health
from consumer.observability.pages import (
    NOT_FOUND,
    NOT_IMPLEMENTED,
    Page,
    openmetrics_page,
    probe_page,
    text_metrics_page,
)

# As the ASGI specification has them.
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

PATHS = frozenset({"/health", "/ready", "/started", "/metrics"})


class PageMaker:
    """Makes a page in a thread, since what it asks may be slow, for all who want it meanwhile. Used by one event loop.

    The thread is a daemon: whatever a page waits for holds up neither another page nor the process's end.
    """

    def __init__(self, make: Callable[[], Page]) -> None:
        self._make = make
        self._under_way: asyncio.Future[Page] | None = None

    async def page(self) -> Page:
        """The page. Raises what making it raises."""
        if self._under_way is None:
            self._under_way = asyncio.get_running_loop().create_future()
            self._under_way.add_done_callback(self._ended)
            threading.Thread(target=self._run, args=(self._under_way,), daemon=True, name="http page").start()
        return await asyncio.shield(self._under_way)

    def _run(self, page: "asyncio.Future[Page]") -> None:
        result: Page | Exception
        try:
            result = self._make()
        except Exception as error:  # noqa: BLE001 - it is raised where the page is awaited
            result = error
        with suppress(RuntimeError):  # the server was closed meanwhile
            page.get_loop().call_soon_threadsafe(_settle, page, result)

    def _ended(self, page: "asyncio.Future[Page]") -> None:
        self._under_way = None
        if not page.cancelled():
            page.exception()  # nobody may be waiting any more, and that is no error


def _settle(page: "asyncio.Future[Page]", result: Page | Exception) -> None:
    if page.done():
        return
    if isinstance(result, Page):
        page.set_result(result)
    else:
        page.set_exception(result)


class Site:
    """An ASGI application: /health, /ready, /started, /metrics. HEAD is answered as GET is, without the body."""

    def __init__(self, health: Health, registry: CollectorRegistry) -> None:
        self._pages = {
            "/health": PageMaker(lambda: probe_page(health.live())),
            "/ready": PageMaker(lambda: probe_page(health.ready(), health.notes())),
            "/started": PageMaker(lambda: probe_page(health.started())),
            "/metrics": PageMaker(lambda: text_metrics_page(registry)),
        }
        self._openmetrics = PageMaker(lambda: openmetrics_page(registry))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - a body says nothing
        page = await self._page(scope)
        await send(
            {
                "type": "http.response.start",
                "status": page.status,
                "headers": [
                    (b"content-type", page.media_type.encode()),
                    (b"content-length", str(len(page.body)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": page.body, "more_body": False})

    async def _page(self, scope: Scope) -> Page:
        if scope["method"] not in ("GET", "HEAD"):
            return NOT_IMPLEMENTED
        if scope["path"] == "/metrics" and _accepts_openmetrics(scope["headers"]):
            return await self._openmetrics.page()
        maker = self._pages.get(scope["path"])
        return await maker.page() if maker else NOT_FOUND


def _accepts_openmetrics(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"accept" and b"application/openmetrics-text" in value for name, value in headers)
