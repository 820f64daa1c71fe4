"""A stack of its own for what ends servers, and platforms whose replicas separate in milliseconds."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.chaos.traffic import write_model
from harness.platform import Platform, make_platform
from tests.chaos.stack import Stack
from tests.integration.conftest import model_path as model_path  # the narrow networks, for a run with the real thing

ROOT = Path(__file__).parents[2]
NewPlatform = Callable[[str, str], Platform]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A broker, an object store and a proxy that only this folder uses."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="session")
def empty_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def new_platform(tmp_path_factory: pytest.TempPathFactory, empty_model: Path) -> Iterator[NewPlatform]:
    """Makes platforms for replicas of `harness.chaos.replica`, on a broker and an object store."""
    made: list[Platform] = []

    def make(bootstrap_servers: str, minio_endpoint: str) -> Platform:
        platform = make_platform(bootstrap_servers, minio_endpoint, tmp_path_factory.mktemp("platform"), empty_model)
        platform.environment = {
            **platform.environment,
            "PYTHONPATH": os.pathsep.join([str(ROOT), platform.environment.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        }
        platform.replica_command = [sys.executable, "-m", "harness.chaos.replica"]
        made.append(platform)
        return platform

    yield make
    for platform in made:
        platform.close()
