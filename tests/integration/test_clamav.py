"""The scanner's client before a real ClamAV daemon: what passes, what does not, and what is an outage."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumer.adapters.clamav import Address, ClamavScanner
from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, ScannerMisconfigured, ScannerUnavailable
from devstack import clamd as clamd_service
from devstack.clamd import EICAR, SIGNATURE
from devstack.service import Running, free_port
from harness.clips import write_clip

MAX_BYTES = 8 << 20


class Daemon:
    """A ClamAV daemon that can be taken away and brought back."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder
        self._service = clamd_service.clamd(folder, self.port, max_bytes=MAX_BYTES + 1)
        self.running: Running = self._service.start()

    def scanner(self, *, silence_s: float = 60.0, max_bytes: int = MAX_BYTES) -> ClamavScanner:
        return ClamavScanner(("127.0.0.1", self.port), max_bytes=max_bytes, silence_s=silence_s)

    def come_back(self) -> None:
        self.running = self._service.start()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("clamd"))
    yield daemon
    daemon.running.stop()


def a_file(folder: Path, *parts: bytes) -> Path:
    path = folder / "source.mp3"
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize("place", ["tcp", "unix"])
def test_what_is_clean_passes_and_what_is_not_is_named(daemon: Daemon, tmp_path: Path, place: str) -> None:
    """By TCP and by a unix socket: a song passes, an empty file too; EICAR is found wherever it lies."""
    address: Address = ("127.0.0.1", daemon.port) if place == "tcp" else daemon.folder / "socket"
    scanner = ClamavScanner(address, max_bytes=MAX_BYTES)
    scanner.check()
    song = os.urandom(3 << 20)
    for clean in ([song], []):
        assert scanner.scan(a_file(tmp_path, *clean), Cancellation()) is None
    for infected in ([EICAR], [song, EICAR], [bytes(7 << 20), EICAR], [song, EICAR, song]):
        assert scanner.scan(a_file(tmp_path, *infected), Cancellation()) == SIGNATURE


@pytest.mark.parametrize("extension", ["mp3", "ogg", "opus", "wav", "flac", "m4a"])
def test_no_kind_of_file_is_passed_over(daemon: Daemon, tmp_path: Path, extension: str) -> None:
    """What is hidden in a song is found, also in kinds of files that the daemon by itself does not look into."""
    song = write_clip(tmp_path / f"song.{extension}", seconds=1.0, seed=1)
    assert daemon.scanner().scan(song, Cancellation()) is None
    infected = a_file(tmp_path, song.read_bytes(), EICAR)
    assert daemon.scanner().scan(infected, Cancellation()) == SIGNATURE


def test_what_it_does_not_take_is_no_clean_file(daemon: Daemon, tmp_path: Path) -> None:
    """A file beyond StreamMaxLength, however much of it was sent, is told of as what it is: a scanner set up too small.

    The check says so before any file does.
    """
    scanner = daemon.scanner()
    for size in (MAX_BYTES + 1, 3 * MAX_BYTES):
        with pytest.raises(ScannerMisconfigured, match="MAX_OBJECT_BYTES"):
            scanner.scan(a_file(tmp_path, bytes(size)), Cancellation())
    scanner.check()
    with pytest.raises(ScannerMisconfigured, match="MAX_OBJECT_BYTES"):
        daemon.scanner(max_bytes=MAX_BYTES + 1).check()


def test_a_scanner_that_is_away_is_an_outage_until_it_is_back(daemon: Daemon, tmp_path: Path) -> None:
    """Nothing passes while nobody listens; the same client goes on when it is there again."""
    scanner, song = daemon.scanner(), a_file(tmp_path, b"song")
    daemon.running.stop()
    asks: list[Callable[[], object]] = [scanner.check, lambda: scanner.scan(song, Cancellation())]
    for ask in asks:
        with pytest.raises(ScannerUnavailable, match="can't be reached"):
            ask()
    daemon.come_back()
    scanner.check()
    assert scanner.scan(song, Cancellation()) is None


def test_a_scanner_that_dies_at_work_lets_nothing_pass(daemon: Daemon, tmp_path: Path) -> None:
    """Killed with the file in its hands: an outage, not a clean file."""
    daemon.running.process.send_signal(signal.SIGSTOP)  # so that it is not done too soon
    threading.Timer(0.5, daemon.running.kill).start()
    with pytest.raises(ScannerUnavailable):
        daemon.scanner().scan(a_file(tmp_path, bytes(MAX_BYTES)), Cancellation())
    daemon.running.process.wait(60)
    daemon.come_back()


def test_a_scanner_that_stalls_is_an_outage(daemon: Daemon, tmp_path: Path) -> None:
    """One that accepts and says nothing is given up after its time; a job that is cancelled does not wait for it."""
    small, large = a_file(tmp_path, b"song"), tmp_path / "large"
    large.write_bytes(bytes(MAX_BYTES))
    daemon.running.process.send_signal(signal.SIGSTOP)
    try:
        for path in (small, large):  # it reads nothing, so one of them can't even be sent
            with pytest.raises(ScannerUnavailable):
                daemon.scanner(silence_s=0.5).scan(path, Cancellation())
        with pytest.raises(ScannerUnavailable):
            daemon.scanner().check()
        for path in (small, large):
            cancel = Cancellation()
            threading.Timer(0.3, cancel.cancel, ["user"]).start()
            with pytest.raises(Cancelled):
                daemon.scanner(silence_s=3600).scan(path, cancel)
    finally:
        daemon.running.process.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + 60
    while True:
        try:
            return daemon.scanner().check()
        except ScannerUnavailable:
            assert time.monotonic() < deadline
