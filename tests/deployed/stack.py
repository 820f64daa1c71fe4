"""The shipped Compose file, brought up from the shipped Dockerfile in an engine of our own."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minio import Minio

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.registry import ConfluentRegistry
from consumer.core.events import SCHEMA_FILES
from consumer.settings import TopicSettings
from devstack import build
from devstack.engine import Engine
from devstack.service import free_port
from harness.platform import Platform
from harness.waiting import wait_for
from tests.deploy.compose import DEVELOPMENT, FILE, ROOT

PROJECT = "separation"
SERVED = (
    "consumer",
    "lag",
    "gateway",
    "registry",
    "clamd",
    "prometheus",
)  # and what these depend on; nothing makes a Grafana here
CONSUMERS = 3
_PROFILES = ("service", "registry", "scan", "monitoring")
_START_WITHIN_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeStack:
    engine: Engine
    kafka_port: int = field(default_factory=free_port)
    minio_port: int = field(default_factory=free_port)
    registry_port: int = field(default_factory=free_port)
    prometheus_port: int = field(default_factory=free_port)
    gateway_port: int = field(default_factory=free_port)

    def up(self) -> None:
        """Images built, everything started, and every health check passed."""
        self.compose("up", "--build", "--detach", "--wait", "--wait-timeout", str(_START_WITHIN_S), *SERVED)

    def down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "60")

    def compose(self, *arguments: str) -> str:
        command = [str(build.compose_binary()), "--env-file", str(DEVELOPMENT), "-f", str(FILE), "-p", PROJECT]
        command += [word for profile in _PROFILES for word in ("--profile", profile)]
        ran = subprocess.run(
            [*command, *arguments],
            env={**os.environ, **self._environment()},
            cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=1200,
        )  # fmt: skip
        assert ran.returncode == 0, f"{ran.stderr[-3000:]}\n{self.said()[-3000:]}"
        return ran.stdout

    def said(self) -> str:
        """The last lines of every container."""
        lines = []
        for name in self.engine.docker("ps", "--all", "--format", "{{.Names}}").split():
            told = subprocess.run(
                ["docker", "logs", "--tail", "5", name],
                env={**os.environ, **self.engine.environment}, capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            lines.append(f"--- {name}\n{told.stdout}{told.stderr}")
        return "\n".join(lines)

    def containers(self, service: str) -> list[str]:
        return sorted(self.compose("ps", "--all", "--format", "{{.Name}}", service).split())

    def inspect(self, container: str) -> dict[str, Any]:
        [told] = json.loads(self.engine.docker("inspect", container))
        return dict(told)

    def is_healthy(self, container: str) -> bool:
        return bool(self.inspect(container)["State"]["Health"]["Status"] == "healthy")

    def wait_healthy(self) -> None:
        for service in ("kafka", "minio", *SERVED):
            for container in self.containers(service):
                wait_for(lambda container=container: self.is_healthy(container))

    @contextmanager
    def platform(self, folder: Path) -> Iterator[Platform]:
        """A client on this machine, by the ports that are published; it has read nothing yet."""
        topics = TopicSettings()
        environment = {
            **{f"TOPIC_{kind.upper()}": str(getattr(topics, kind)) for kind in type(topics).model_fields},
            "KAFKA_GROUP_ID": "spleeter-consumer",
            "ALLOWED_SOURCE_BUCKETS": "music",
            "OUTPUT_BUCKET": "stems",
        }
        url = f"http://127.0.0.1:{self.registry_port}/apis/ccompat/v7"
        registry = ConfluentRegistry(url, _subjects(topics), registers=True)
        minio = Minio(f"127.0.0.1:{self.minio_port}", "minioadmin", "minioadmin", secure=False)
        try:
            yield Platform(
                bootstrap_servers=f"127.0.0.1:{self.kafka_port}",
                minio=minio,
                environment=environment,
                folder=folder,
                codec=AvroCodec(registry),
            )
        finally:
            minio._http.clear()
            registry.close()

    def _environment(self) -> Mapping[str, str]:
        return {
            **self.engine.environment,
            "BUILD_NETWORK": "host",  # containers of this engine have no way out
            "KAFKA_PORT": str(self.kafka_port),
            "MINIO_PORT": str(self.minio_port),
            "REGISTRY_PORT": str(self.registry_port),
            "PROMETHEUS_PORT": str(self.prometheus_port),
            "GATEWAY_PORT": str(self.gateway_port),
            "SCHEMA_REGISTRY_URL": "http://registry:8080/apis/ccompat/v7",
            "CLAMD_ADDRESS": "clamd:3310",
            "MODELS_FROM": "./demo/weights",
            "MODEL_SOURCES": "none",
        }


def _subjects(topics: TopicSettings) -> dict[str, str]:
    """Of what a client writes and reads."""
    kinds = {
        "separation_request": topics.requests,
        "separation_result": topics.results,
        "dead_letter": topics.dead_letter,
    }
    assert kinds.keys() <= set(SCHEMA_FILES.values())
    return {name: f"{topic}-value" for name, topic in kinds.items()}
