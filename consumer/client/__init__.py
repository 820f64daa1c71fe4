"""For platform code: requests go in, outcomes come out. Needs neither networks nor, but for files, object storage."""

from consumer.client.aio import AsyncClient, AsyncJob
from consumer.client.client import Client
from consumer.client.errors import AccessDenied, ClientBroken, ClientClosed, SeparationFailed, WaitTimeout
from consumer.client.job import Job
from consumer.client.log import EventLog, Received
from consumer.client.watch import Watch

__all__ = [
    "AccessDenied",
    "AsyncClient",
    "AsyncJob",
    "Client",
    "ClientBroken",
    "ClientClosed",
    "EventLog",
    "Job",
    "Received",
    "SeparationFailed",
    "WaitTimeout",
    "Watch",
]
