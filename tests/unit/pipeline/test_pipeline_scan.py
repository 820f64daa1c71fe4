"""What is scanned, when, and what becomes of it: all of a replica but Kafka, object storage, scanner and TensorFlow."""

from collections.abc import Callable

import pytest

from consumer.core.errors import Code
from consumer.core.events import SeparationResult, SourceObject
from consumer.pipeline import retry
from harness.replica import CODEC, Bench
from harness.scanner import FakeScanner


def test_malware_becomes_a_dead_letter_and_is_opened_by_nobody(make: Callable[..., Bench]) -> None:
    """What the scanner finds something in ends with its name, before the separator sees it."""
    bench = make(scanner=FakeScanner(finds={b"song": "Win.Test"}))
    bench.send()
    bench.start()
    letter = bench.letter()
    assert (letter.code, letter.stage) == (Code.MALWARE_FOUND, "scan")
    assert letter.message == "the scanner found Win.Test"
    assert bench.separator.calls == []


def test_copies_are_made_of_scanned_content_only(make: Callable[..., Bench]) -> None:
    """Content that was separated before is scanned again: what is known of malware grows."""
    bench = make(reuses=True, scanner=FakeScanner())
    bench.send()
    bench.start()
    bench.outcomes()
    bench.send(request_id="r2")
    first, second = (CODEC.decode(SeparationResult, message.value) for message in bench.outcomes())
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert bench.scanner
    assert bench.scanner.scanned == [b"song", b"song"]
    bench.scanner.finds[b"song"] = "Win.Test"
    bench.send(request_id="r3")
    assert bench.letter().code == Code.MALWARE_FOUND


def test_nothing_is_scanned_that_can_not_be_had(make: Callable[..., Bench]) -> None:
    """A request that fails earlier does not bother the scanner."""
    bench = make(scanner=FakeScanner())
    bench.send(source=SourceObject(bucket="in", key="gone"))
    bench.start()
    assert bench.letter().code == Code.OBJECT_NOT_FOUND
    assert bench.scanner
    assert bench.scanner.scanned == []


def test_a_scanner_that_is_away_is_waited_for(make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is away for everybody no attempt is used up, and the retries by stage tell of it all the time."""
    monkeypatch.setattr(retry, "OUTAGE_CHECK_S", 0.001)
    bench = make(scanner=FakeScanner(away=40))
    bench.send()
    bench.start()
    [message] = bench.outcomes()
    result = CODEC.decode(SeparationResult, message.value)
    assert (message.topic, result.attempt) == ("results", 1)
    assert "scan" in result.timings_s
    counted = bench.metrics.registry.get_sample_value("separation_retries_total", {"stage": "scan"})
    assert counted
    assert counted > 30
