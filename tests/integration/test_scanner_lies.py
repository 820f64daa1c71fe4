"""Scanners that can't be trusted, beside a real one: whatever they say, nothing passes that was not looked at."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumer.adapters.clamav import Address, ClamavScanner
from consumer.core.cancellation import Cancellation
from consumer.core.errors import ScannerUnavailable
from consumer.core.events import DeadLetter
from devstack.clamd import EICAR, SIGNATURE, clamd
from devstack.service import free_port
from harness.clips import write_clip
from harness.lying_clamd import Question, lying_clamd
from harness.platform import Platform
from harness.waiting import wait_for
from tests.integration.test_scan import scanner_check

MAX_BYTES = 8 << 20


def after(*steps: Callable[[Question], None]) -> Callable[[Question], None]:
    """One after the other."""

    def lie(question: Question) -> None:
        for step in steps:
            step(question)

    return lie


def says(answer: bytes) -> Callable[[Question], None]:
    return lambda question: question.say(answer)


READS, STALLS, RESETS = Question.read_all, Question.stall, Question.reset
LIES: dict[str, Callable[[Question], None]] = {
    "times out unread": STALLS,
    "times out when it has all": after(READS, STALLS),
    "hangs up at once": after(),
    "hangs up when it has all": READS,
    "resets at once": RESETS,
    "resets when it has all": after(READS, RESETS),
    "half of a good answer": after(READS, says(b"stream: O")),
    "a good answer without its end": after(READS, says(b"stream: OK")),
    "a good answer without its end, and then nothing": after(READS, says(b"stream: OK"), STALLS),
    "half of a finding": after(READS, says(b"stream: Win.Test FOU")),
    "a good answer before it has read anything": after(says(b"stream: OK\0"), READS),
    "rubbish": after(READS, says(b"\x00\xff\x13stream: OK\0")),
    "rubbish without an end": after(READS, says(b"stream: OK " * 10_000)),
    "nothing but an end": after(READS, says(b"\0")),
    "another file's answer": after(READS, says(b"1: stream: OK\0")),
    "a web server's answer": after(READS, says(b"HTTP/1.1 200 OK\r\n\r\nstream: OK\0")),
    "a pong": after(READS, says(b"PONG\0")),
    "an error": after(READS, says(b"stream: Can't allocate memory ERROR\0")),
    "no word of what it found": after(READS, says(b"stream:  FOUND\0")),
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    port = free_port()
    running = clamd(tmp_path_factory.mktemp("clamd"), port, max_bytes=MAX_BYTES + 1).start()
    yield "127.0.0.1", port
    running.stop()


def files(folder: Path) -> tuple[Path, Path]:
    """One that is clean and one that is not."""
    clean, infected = folder / "clean", folder / "infected"
    # More than a connection takes before any of it is read: who answers without reading answers too early.
    clean.write_bytes(bytes(7 << 20))
    infected.write_bytes(bytes(7 << 20) + EICAR)
    return clean, infected


@pytest.mark.attack
@pytest.mark.parametrize("lie", LIES)
def test_a_scanner_that_lies_lets_nothing_pass(tmp_path: Path, lie: str) -> None:
    """Neither a clean file nor another one: it is an outage, which is waited for."""
    with lying_clamd(LIES[lie]) as address:
        scanner = ClamavScanner(address, max_bytes=MAX_BYTES, silence_s=0.5)
        for path in files(tmp_path):
            with pytest.raises(ScannerUnavailable):
                scanner.scan(path, Cancellation())


@pytest.mark.attack
@pytest.mark.parametrize("lie", LIES)
def test_a_scanner_that_lies_before_one_that_does_not(tmp_path: Path, real: Address, lie: str) -> None:
    """The next one's answer counts, for clean and for infected files."""
    with lying_clamd(LIES[lie]) as address:
        scanner = ClamavScanner(address, real, max_bytes=MAX_BYTES, silence_s=5.0)
        clean, infected = files(tmp_path)
        assert scanner.scan(clean, Cancellation()) is None
        assert scanner.scan(infected, Cancellation()) == SIGNATURE
        scanner.check()


@pytest.mark.attack
@pytest.mark.parametrize("lie", ["times out unread", "resets at once", "half of a good answer", "rubbish"])
def test_a_scanner_that_does_not_even_pong_is_away(real: Address, lie: str) -> None:
    """The check says so; beside one that answers it is no outage."""
    with lying_clamd(LIES[lie], pongs=False) as address:
        with pytest.raises(ScannerUnavailable):
            ClamavScanner(address, max_bytes=MAX_BYTES).check()
        ClamavScanner(address, real, max_bytes=MAX_BYTES).check()


@pytest.mark.attack
def test_no_request_passes_a_scanner_that_lies(platform: Platform, tmp_path: Path) -> None:
    """Through the service: malware waits while the only scanner answers by halves, and /ready says why; once there is
    a real one it is found, moved to the quarantine's bucket, and nothing was opened."""
    port, quarantine = free_port(), f"{platform.source_bucket}-quarantine"
    platform.minio.make_bucket(quarantine)
    song = write_clip(tmp_path / "song.mp3", seconds=1.0, seed=1)
    song.write_bytes(song.read_bytes() + EICAR)
    key = platform.upload(song)
    with lying_clamd(LIES["half of a good answer"], pongs=False) as (host, liar):
        replica = platform.start_replica(
            CLAMD_ADDRESS=f"{host}:{liar},127.0.0.1:{port}", CLAMD_REQUIRED="true", CLAMD_QUARANTINE="move",
            CLAMD_QUARANTINE_BUCKET=quarantine,
        )  # fmt: skip
        platform.request(key)
        wait_for(lambda: scanner_check(replica) not in ("", "ok") or bool(replica.said("dependency.away")))
        assert platform.read_outcomes() == []
        scanner = clamd(tmp_path / "clamd", port).start()
        [letter] = platform.outcomes(1)
        scanner.stop()
    assert isinstance(letter, DeadLetter)
    assert (letter.code, letter.message) == ("MALWARE_FOUND", f"the scanner found {SIGNATURE}")
    assert replica.said("separation.separate") == []
    assert [item.object_name for item in platform.minio.list_objects(platform.source_bucket)] == []
    [moved] = platform.minio.list_objects(quarantine, recursive=True)
    assert moved.object_name == f"{platform.source_bucket}/{key}"
