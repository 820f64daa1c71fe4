"""Fixtures that several folders share: real servers, started once a run on free ports, ended with it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from devstack import kafka as kafka_service
from devstack import minio as minio_service
from devstack.service import Running, free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    bootstrap_servers: str
    running: Running


@dataclass(frozen=True, slots=True, kw_only=True)
class MinioServer:
    endpoint: str
    access_key: str
    secret_key: str
    running: Running


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A real broker."""
    port = free_port()
    running = kafka_service.kafka(tmp_path_factory.mktemp("kafka"), port).start()
    yield Kafka(bootstrap_servers=f"127.0.0.1:{port}", running=running)
    running.stop()


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    """A real object store."""
    port = free_port()
    running = minio_service.minio(tmp_path_factory.mktemp("minio"), port).start()
    yield MinioServer(
        endpoint=f"127.0.0.1:{port}",
        access_key=minio_service.ACCESS_KEY,
        secret_key=minio_service.SECRET_KEY,
        running=running,
    )
    running.stop()
