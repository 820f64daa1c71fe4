"""Fixtures that several folders share: real servers, started once a run on free ports, ended with it."""

import gc
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from devstack import kafka as kafka_service
from devstack import minio as minio_service
from devstack import registry as registry_service
from devstack.service import Running, free_port
from tests.turns import in_turns

# How long an example takes tells of the machine alone. Folders with a profile of their own begin with this one.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

FOLDER = Path(__file__).parent
# Seconds that one test may take, by folder, where the default of pyproject.toml is too little. What its fixtures do,
# which fetch, build and start real servers, is not counted: they wait no longer than devstack does.
LIMITS_S = {
    "property": 600, "integration": 600, "contract": 600, "monitoring": 600, "separator": 1200, "chaos": 1200,
    "recipes": 600, "browser": 600,
    "deployed": 1800,
}  # fmt: skip
LONG_LIMIT_S = 3600


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: a million objects, in which Python need not look for cycles again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test has a limit: its own mark's, or else its folder's, or else the default. Files have their order."""
    files = in_turns(list(dict.fromkeys(file_of(item) for item in items)))
    turns = {file: number for number, file in enumerate(files)}
    items.sort(key=lambda item: turns[file_of(item)])
    for item in items:
        limit_s = LONG_LIMIT_S if item.get_closest_marker("long") else LIMITS_S.get(folder_of(item))
        if limit_s and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(limit_s, func_only=True))


def folder_of(item: pytest.Item) -> str:
    """The first folder below `tests` that a test lies in."""
    return file_of(item).partition("/")[0]


def file_of(item: pytest.Item) -> str:
    """The file that a test lies in, as a path below `tests`; "" where it lies elsewhere."""
    return item.path.relative_to(FOLDER).as_posix() if item.path.is_relative_to(FOLDER) else ""


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


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real schema registry's address."""
    port = free_port()
    running = registry_service.registry(tmp_path_factory.mktemp("registry"), port).start()
    yield registry_service.url(port)
    running.stop()
