"""A broker and an object store that may be ended and started again, and a way to them of each replica's own.

A replica reaches both through Toxiproxy, by ports that are its slot's, so its connections can be made slow or cut while
the others' and the oracle's are not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from devstack.kafka import kafka
from devstack.minio import minio
from devstack.service import Running, Service, free_port
from devstack.toxiproxy import toxiproxy

SLOTS = 3
SERVICES = ("kafka", "minio")
# What a proxy can do to a connection: toxics by name, None for "refuse and cut".
TOXICS: Mapping[str, Mapping[str, Any] | None] = {
    "cut": None,
    "slow": {"type": "latency", "attributes": {"latency": 300, "jitter": 200}},
    "narrow": {"type": "bandwidth", "attributes": {"rate": 30}},
    "silent": {"type": "timeout", "attributes": {"timeout": 0}},
    "reset": {"type": "reset_peer", "attributes": {"timeout": 200}},
}


@dataclass(slots=True)
class Stack:
    folder: Path
    kafka_port: int = field(default_factory=free_port)
    minio_port: int = field(default_factory=free_port)
    _services: dict[str, Service] = field(default_factory=dict)
    _running: dict[str, Running] = field(default_factory=dict)
    _http: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=30))
    _proxies: dict[tuple[int, str], int] = field(default_factory=dict)

    def start(self) -> None:
        doors = {slot: free_port() for slot in range(SLOTS)}
        self._proxies = {(slot, service): free_port() for slot in range(SLOTS) for service in SERVICES}
        toxiproxy_port = free_port()
        self._services = {
            "toxiproxy": toxiproxy(self.folder / "toxiproxy", toxiproxy_port),
            "kafka": kafka(
                self.folder / "kafka",
                self.kafka_port,
                doors={door: self._proxies[slot, "kafka"] for slot, door in doors.items()},
            ),
            "minio": minio(self.folder / "minio", self.minio_port),
        }
        self._http.base_url = f"http://127.0.0.1:{toxiproxy_port}"
        for name in self._services:
            self.bring_back(name)
        for (slot, service), port in self._proxies.items():
            upstream = doors[slot] if service == "kafka" else self.minio_port
            self._ask(
                "POST", "/proxies",
                {"name": f"{service}-{slot}", "listen": f"127.0.0.1:{port}", "upstream": f"127.0.0.1:{upstream}"},
            )  # fmt: skip

    def environment(self, slot: int) -> dict[str, str]:
        """Where a replica of this slot finds both."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self._proxies[slot, 'kafka']}",
            "MINIO_ENDPOINT": f"127.0.0.1:{self._proxies[slot, 'minio']}",
        }

    def take_away(self, service: str, *, by_force: bool) -> None:
        running = self._running[service]
        if by_force:
            running.kill()
        else:
            running.stop()

    def bring_back(self, service: str) -> None:
        if service not in self._running or self._running[service].process.poll() is not None:
            self._running[service] = self._services[service].start()

    def disturb(self, slot: int, service: str, toxic: str) -> None:
        proxy, what = f"/proxies/{service}-{slot}", TOXICS[toxic]
        if what is None:
            self._ask("POST", proxy, {"enabled": False})
            return
        for stream in ("upstream", "downstream"):
            self._ask("POST", f"{proxy}/toxics", {**what, "name": f"{toxic}-{stream}", "stream": stream})

    def calm(self, slot: int, service: str, toxic: str) -> None:
        proxy = f"/proxies/{service}-{slot}"
        if TOXICS[toxic] is None:
            self._ask("POST", proxy, {"enabled": True})
            return
        for stream in ("upstream", "downstream"):
            self._ask("DELETE", f"{proxy}/toxics/{toxic}-{stream}", None)

    def _ask(self, method: str, page: str, body: Mapping[str, Any] | None) -> None:
        self._http.request(method, page, json=body).raise_for_status()

    def stop(self) -> None:
        self._http.close()
        for running in self._running.values():
            running.kill()
