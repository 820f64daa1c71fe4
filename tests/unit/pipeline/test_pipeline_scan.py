"""What is scanned, when, and what becomes of it: all of a replica but Kafka, object storage, scanner and TensorFlow."""

from collections.abc import Callable

from consumer.core.errors import Code
from consumer.core.events import SeparationResult, SourceObject
from harness.replica import CODEC, Harness
from harness.scanner import FakeScanner


def test_malware_becomes_a_dead_letter_and_is_opened_by_nobody(make: Callable[..., Harness]) -> None:
    """What the scanner finds something in ends with its name, before the separator sees it."""
    harness = make(scanner=FakeScanner(finds={b"song": "Win.Test"}))
    harness.send()
    harness.start()
    letter = harness.letter()
    assert (letter.code, letter.stage) == (Code.MALWARE_FOUND, "scan")
    assert letter.message == "the scanner found Win.Test"
    assert harness.separator.calls == []


def test_copies_are_made_of_scanned_content_only(make: Callable[..., Harness]) -> None:
    """Content that was separated before is scanned again: what is known of malware grows."""
    harness = make(reuses=True, scanner=FakeScanner())
    harness.send()
    harness.start()
    harness.outcomes()
    harness.send(request_id="r2")
    first, second = (CODEC.decode(SeparationResult, message.value) for message in harness.outcomes())
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert harness.scanner
    assert harness.scanner.scanned == [b"song", b"song"]
    harness.scanner.finds[b"song"] = "Win.Test"
    harness.send(request_id="r3")
    assert harness.letter().code == Code.MALWARE_FOUND


def test_nothing_is_scanned_that_can_not_be_had(make: Callable[..., Harness]) -> None:
    """A request that fails earlier does not bother the scanner."""
    harness = make(scanner=FakeScanner())
    harness.send(source=SourceObject(bucket="in", key="gone"))
    harness.start()
    assert harness.letter().code == Code.OBJECT_NOT_FOUND
    assert harness.scanner
    assert harness.scanner.scanned == []


def test_a_scanner_that_is_away_is_waited_for(make: Callable[..., Harness]) -> None:
    """While it is away for everybody no attempt is used up, and the checks by stage tell of it all the time."""
    harness = make(scanner=FakeScanner(away=40))
    harness.send()
    harness.start()
    [message] = harness.outcomes()
    result = CODEC.decode(SeparationResult, message.value)
    assert (message.topic, result.attempt) == ("results", 1)
    assert "scan" in result.timings_s
    counted = harness.metrics.registry.get_sample_value("separation_outage_checks_total", {"stage": "scan"})
    assert counted
    assert counted > 30
