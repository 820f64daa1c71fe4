"""Stands in for the nodes: each pod of the namespace becomes a process, and the API server is told as by a kubelet.

A pod is bound as soon as it is there, is running once its process is, and ready once that says so. When it is to go,
its process gets SIGTERM, and the pod is gone when the process is.
"""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from devstack.kubernetes import Cluster
from devstack.service import free_port

NODE = "stand-in"
_EVERY_S = 0.25


@dataclass(slots=True, kw_only=True)
class Life:
    """Of one pod's process. Times are of time.monotonic()."""

    name: str
    port: int
    log: Path
    process: "subprocess.Popen[bytes]"
    started_at: float
    ended_at: float | None = None
    is_ready: bool = False
    is_ending: bool = False


@dataclass(slots=True, kw_only=True)
class Kubelet:
    cluster: Cluster
    namespace: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    targets: Path  # for Prometheus' file discovery
    beside: Sequence[Mapping[str, Any]] = ()  # targets that are no pods
    lives: list[Life] = field(default_factory=list)
    _running: dict[str, Life] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    error: Exception | None = None

    def __enter__(self) -> "Kubelet":
        self._write_targets()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        assert self._thread
        self._thread.join(60)
        for life in self._running.values():
            life.process.kill()
            life.process.wait(60)

    @property
    def count(self) -> int:
        """Processes that run now."""
        return len(self._running)

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            try:
                self._look()
            except httpx2.HTTPError as error:
                self.error = error  # the server was busy; the next look will tell

    def _look(self) -> None:
        pods = self.cluster.ask("GET", f"{self._pods}?labelSelector=app.kubernetes.io/component=consumer")["items"]
        for pod in pods:
            name, life = pod["metadata"]["name"], self._running.get(pod["metadata"]["name"])
            if life is None:
                if "deletionTimestamp" not in pod["metadata"]:
                    self._start(name)
            elif life.process.poll() is not None:
                self._end(life, pod)
            elif "deletionTimestamp" in pod["metadata"] and not life.is_ending:
                life.is_ending = True
                life.process.send_signal(signal.SIGTERM)
            elif not life.is_ready and _says_ready(life.port):
                life.is_ready = True
                self._tell(name, ready=True)

    def _start(self, name: str) -> None:
        target = {"metadata": {"name": name}, "target": {"kind": "Node", "name": NODE}}
        self.cluster.ask("POST", f"{self._pods}/{name}/binding", {"apiVersion": "v1", "kind": "Binding", **target})
        log = self.folder / f"{name}-{len(self.lives)}.log"
        port = free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command,
                env={**self.environment, "POD_NAME": name, "HTTP_PORT": str(port)},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        life = Life(name=name, port=port, log=log, process=process, started_at=time.monotonic())
        self.lives.append(life)
        self._running[name] = life
        self._tell(name, ready=False)
        self._write_targets()

    def _end(self, life: Life, pod: Mapping[str, Any]) -> None:
        life.ended_at = time.monotonic()
        del self._running[life.name]
        uid = {"preconditions": {"uid": pod["metadata"]["uid"]}}
        self.cluster.ask("DELETE", f"{self._pods}/{life.name}", {"gracePeriodSeconds": 0, **uid})
        self._write_targets()

    def _tell(self, name: str, *, ready: bool) -> None:
        word = "True" if ready else "False"
        conditions = [{"type": kind, "status": word} for kind in ("Ready", "ContainersReady")]
        status = {"status": {"phase": "Running", "conditions": conditions}}
        self.cluster.ask("PATCH", f"{self._pods}/{name}/status", status, kind="application/merge-patch+json")

    def _write_targets(self) -> None:
        addresses = [f"127.0.0.1:{life.port}" for life in self._running.values()]
        written = self.targets.with_suffix(".new")
        pods = {"targets": addresses, "labels": {"namespace": self.namespace}}
        written.write_text(json.dumps([pods, *self.beside]))
        written.rename(self.targets)

    @property
    def _pods(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"


def _says_ready(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/ready", timeout=2).is_success
    except httpx2.HTTPError:
        return False
