"""Web pages are rejected on the walk, under the stage's name, before a separator is asked."""

from collections.abc import Callable

from consumer.core.events import SourceObject
from harness.replica import Harness
from tests.unit.conftest import make

__all__ = ["make"]  # the fixture of a replica over fakes


def test_a_record_walks_through_it(make: Callable[..., Harness]) -> None:
    """A page becomes a dead letter there; a song passes, and is timed there."""
    harness = make()
    harness.store.create("in", "page.mp3", b"<html>404</html>", media_type="", metadata={})
    harness.send()
    harness.send(request_id="r2", source=SourceObject(bucket="in", key="page.mp3"))
    harness.start()
    letter = harness.letter()
    assert (letter.request_id, letter.code, letter.stage) == ("r2", "AUDIO_UNDECODABLE", "sniff")
    assert len(harness.separator.calls) == 1
    timed = harness.metrics.registry.get_sample_value("separation_stage_seconds_count", {"stage": "sniff"})
    assert timed == 1
