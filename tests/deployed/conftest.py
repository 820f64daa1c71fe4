"""The engine, and the stack in it, started once and ended with everything they hold."""

from collections.abc import Iterator

import pytest

from devstack.engine import Engine
from devstack.engine import engine as new_engine
from devstack.images import make_images
from tests.deploy.compose import services
from tests.deployed.stack import ComposeStack


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with new_engine(tmp_path_factory.mktemp("engine")) as running:
        make_images(
            running,
            {name: services()[name]["image"] for name in ("kafka", "registry", "clamd", "prometheus")},
        )
        yield running


@pytest.fixture(scope="session")
def stack(engine: Engine) -> Iterator[ComposeStack]:
    stack = ComposeStack(engine=engine)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
