"""A gateway of the service's as a real process, and a client that knows HTTP alone."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2

from harness.platform import COMMAND, Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import PATIENCE_S

KEY = "a-plain-key-of-the-tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """process: the gateway's. http: knows its address and a plain key with every right."""

    process: ReplicaProcess
    http: httpx2.Client

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.process.port}"

    def client(self, **headers: str) -> httpx2.Client:
        """Another client, with these headers and no others."""
        return httpx2.Client(base_url=self.url, headers=headers, timeout=70)


@contextmanager
def gateway(platform: Platform, patience_s: float = PATIENCE_S, /, **environment: str) -> Iterator[Gateway]:
    """A gateway that is ready; ended afterwards, with the platform if not before."""
    process = start_gateway(platform, environment)
    process.wait_ready(patience_s)
    with httpx2.Client(base_url=f"http://127.0.0.1:{process.port}", headers={"X-API-KEY": KEY}, timeout=70) as http:
        yield Gateway(process=process, http=http)
    process.process.terminate()
    assert process.process.wait(60) == 0, process.log.read_text()[-2000:]


def start_gateway(platform: Platform, environment: Mapping[str, str]) -> ReplicaProcess:
    """One that need not be ready."""
    own = {"SPLEETER_API_KEY": KEY, "INDEX_DIR": os.fspath(platform.folder)}
    return platform.start_process([*COMMAND, "api"], {**own, **environment})
