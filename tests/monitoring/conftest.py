import shutil
import subprocess
from collections.abc import Callable

import pytest

from devstack import system

Promtool = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """Prometheus' own checker; a complaint of its is what the test fails with."""
    system.provide({"promtool": "prometheus"})
    command = shutil.which("promtool")
    assert command

    def run(*arguments: str, feed: str | None = None) -> "subprocess.CompletedProcess[str]":
        ran = subprocess.run(
            [command, *arguments], input=feed, capture_output=True, text=True, check=False, timeout=120
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran

    return run
