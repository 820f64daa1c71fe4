"""Fixtures of the tests that run a whole replica's parts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from harness.fakes import FakeSeparator
from harness.replica import Harness


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Harness]]:
    """Harnesses with hardly any patience, that are taken down in the end."""
    made: list[Harness] = []

    def make(*script: Exception | None, **fields: Any) -> Harness:
        made.append(Harness(tmp_path, FakeSeparator(*script), **fields))
        return made[-1]

    with capture_logs():
        yield make
        for harness in made:
            harness.stop()  # again, where a test did
            assert harness.halted or list(harness.scratch.iterdir()) == [], "what is done leaves nothing behind"
