import hashlib
from pathlib import Path

import pytest

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, Code, Rejected, ScannerUnavailable, StoreUnavailable
from consumer.core.model import LocalTrack, ObjectFacts
from consumer.pipeline.stages.scan import Scan
from harness.fakes import a_job
from harness.scanner import FakeScanner


def a_track(folder: Path, content: bytes) -> LocalTrack:
    path = folder / "source.mp3"
    path.write_bytes(content)
    source = ObjectFacts(bucket="in", key="a.mp3", etag="e", size_bytes=len(content))
    return LocalTrack(job=a_job(), source=source, path=path, sha256=hashlib.sha256(content).hexdigest())


def test_a_clean_track_goes_on(tmp_path: Path) -> None:
    """The scanner sees the whole file, and the track goes on as it is."""
    scanner, track = FakeScanner(), a_track(tmp_path, b"song")
    assert Scan(scanner=scanner)(track, Cancellation()) is track
    assert scanner.scanned == [b"song"]


def test_what_is_found_is_the_messages_fault(tmp_path: Path) -> None:
    """A finding rejects the message, and names what was found."""
    scan = Scan(scanner=FakeScanner(finds={b"bad": "Win.Test"}))
    with pytest.raises(Rejected, match=r"^the scanner found Win\.Test$") as caught:
        scan(a_track(tmp_path, b"a bad song"), Cancellation())
    assert caught.value.code == Code.MALWARE_FOUND


def test_nothing_passes_without_an_answer(tmp_path: Path) -> None:
    """A scanner that is away, or a job that is cancelled, lets no track go on."""
    with pytest.raises(ScannerUnavailable):
        Scan(scanner=FakeScanner(away=1))(a_track(tmp_path, b"song"), Cancellation())
    cancel = Cancellation()
    cancel.cancel("user")
    with pytest.raises(Cancelled):
        Scan(scanner=FakeScanner())(a_track(tmp_path, b"song"), cancel)


class FakeQuarantine:
    """Keeps what it is given, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure, self.put = failure, list[tuple[str, str]]()

    def put_away(self, source: ObjectFacts, finding: str) -> None:
        if self.failure:
            raise self.failure
        self.put.append((source.key, finding))


def test_what_is_found_is_put_away_and_what_is_clean_is_not(tmp_path: Path) -> None:
    """Only what something was found in, and under the name of that."""
    quarantine = FakeQuarantine()
    scan = Scan(scanner=FakeScanner(finds={b"bad": "Win.Test"}), quarantine=quarantine)
    scan(a_track(tmp_path, b"a good song"), Cancellation())
    assert quarantine.put == []
    with pytest.raises(Rejected, match=r"^the scanner found Win\.Test$"):
        scan(a_track(tmp_path, b"a bad song"), Cancellation())
    assert quarantine.put == [("a.mp3", "Win.Test")]


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), Rejected(Code.REQUEST_INVALID, "away")])
def test_what_can_not_be_put_away_is_malware_all_the_same(tmp_path: Path, failure: Exception) -> None:
    """The outcome says both; it neither passes nor waits."""
    scan = Scan(scanner=FakeScanner(finds={b"bad": "Win.Test"}), quarantine=FakeQuarantine(failure))
    with pytest.raises(Rejected, match=r"^the scanner found Win\.Test; the object could not .* \(away\)$") as caught:
        scan(a_track(tmp_path, b"a bad song"), Cancellation())
    assert caught.value.code == Code.MALWARE_FOUND
