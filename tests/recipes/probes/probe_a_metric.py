"""Bytes of source objects: counted once a track, shown by a scrape and in the table."""

from collections.abc import Callable

import pytest
from prometheus_client import generate_latest

from consumer.core.events import SourceObject
from harness.pages.rows import metric_rows
from harness.replica import Harness
from tests.unit.conftest import make

__all__ = ["make"]  # the fixture of a replica over fakes
NAME = "separation_source_bytes_total"


def test_a_scrape_shows_what_was_separated(make: Callable[..., Harness]) -> None:
    """0 before the first track; then the sizes of what was separated, and nothing of what was not."""
    harness = make()
    assert harness.metrics.registry.get_sample_value(NAME) == 0
    harness.store.create("in", "b.mp3", b"a song", media_type="", metadata={})
    harness.send()
    harness.send(request_id="r2", source=SourceObject(bucket="in", key="b.mp3"))
    harness.send(request_id="r3", source=SourceObject(bucket="in", key="none.mp3"))
    harness.start()
    assert len(harness.outcomes()) == 3
    assert harness.metrics.registry.get_sample_value(NAME) == len(b"song") + len(b"a song")
    assert f"\n{NAME} 10.0\n" in generate_latest(harness.metrics.registry).decode()


@pytest.mark.parametrize("page", ["docs/observability.md"])
def test_the_page_tells_of_it(page: str) -> None:
    """Its row stands where operators look."""
    from pathlib import Path

    [row] = [line for line in metric_rows().splitlines() if f"`{NAME}`" in line]
    assert row in Path(page).read_text()
