"""Fixtures of the tests that run a whole replica's parts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.pipeline import pipeline as pipeline_module
from consumer.pipeline import retry
from consumer.pipeline.retry import RULES, Rule
from harness.fakes import FakeSeparator
from harness.replica import Harness


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Harness]]:
    """Harnesses with hardly any patience, that are taken down in the end."""
    monkeypatch.setattr(retry, "RULES", dict.fromkeys(RULES, Rule(attempts=2, first_wait_s=0.001, max_wait_s=0.001)))
    monkeypatch.setattr(pipeline_module, "_IDLE_S", 0.05)
    benches: list[Harness] = []

    def make(*script: Exception | None, **fields: Any) -> Harness:
        benches.append(Harness(tmp_path, FakeSeparator(*script), **fields))
        return benches[-1]

    with capture_logs():
        yield make
        for harness in benches:
            harness.stop()  # again, where a test did
            assert harness.halted or list(harness.scratch.iterdir()) == [], "what is done leaves nothing behind"
