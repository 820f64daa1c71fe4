"""For platform code: requests go in, outcomes come out. Needs neither networks nor, but for files, object storage.

Each name is imported when it is first used: whoever comes by HTTP loads nothing of Kafka's.
"""

from typing import TYPE_CHECKING

from consumer.core.lazy import lazy_names

if TYPE_CHECKING:
    from consumer.client.aio import AsyncClient, AsyncJob
    from consumer.client.client import Client
    from consumer.client.errors import (
        AccessDenied,
        ClientBroken,
        ClientClosed,
        GatewayUnavailable,
        RequestRefused,
        SeparationFailed,
        WaitTimeout,
    )
    from consumer.client.http import AsyncHttpClient, AsyncHttpJob, HttpClient, HttpJob
    from consumer.client.job import Job
    from consumer.client.log import EventLog, Received
    from consumer.client.watch import Watch

__all__ = [
    "AccessDenied",
    "AsyncClient",
    "AsyncHttpClient",
    "AsyncHttpJob",
    "AsyncJob",
    "Client",
    "ClientBroken",
    "ClientClosed",
    "EventLog",
    "GatewayUnavailable",
    "HttpClient",
    "HttpJob",
    "Job",
    "Received",
    "RequestRefused",
    "SeparationFailed",
    "WaitTimeout",
    "Watch",
]

_MODULES = {
    "aio": ("AsyncClient", "AsyncJob"),
    "client": ("Client",),
    "errors": (
        "AccessDenied", "ClientBroken", "ClientClosed", "GatewayUnavailable", "RequestRefused", "SeparationFailed",
        "WaitTimeout",
    ),
    "http": ("AsyncHttpClient", "AsyncHttpJob", "HttpClient", "HttpJob"),
    "job": ("Job",),
    "log": ("EventLog", "Received"),
    "watch": ("Watch",),
}  # fmt: skip


if not TYPE_CHECKING:  # so that a name that is not there is found without running
    __getattr__ = lazy_names(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
