"""The scanner's client, before servers that answer as clamd should not."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from consumer.adapters.clamav import ClamavScanner
from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, ScannerMisconfigured, ScannerUnavailable

PATIENCE_S = 60.0
SONG = b"song" * 1000


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, int]]:
    """A server that gives one answer a connection, once the client has said all, and hangs up; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                connection.settimeout(PATIENCE_S)
                with connection, suppress(OSError):  # the client may have heard enough
                    said = b""
                    while not said.endswith((b"PING\0", bytes(4))) and (more := connection.recv(1 << 20)):
                        said += more
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1 << 20):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()
        thread.join(60)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song"
    path.write_bytes(SONG)
    return path


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"\0", b"OK\0", b"stream:\0", b"stream: OK ERROR\0", b"stream: NOT OK\0", b"stream: OKAY\0",
        b"other: OK\0", b"stream: ok\0", b"stream:  FOUND\0",
        b"stream: Can't allocate memory ERROR\0", b"stream: FOUND\0",
        b"COMMAND READ TIMED OUT\0", b"\xff\xfe\0", b"stream: OK\nstream: OK\0", b"x" * 10_000,
    ],
    ids=lambda answer: repr(answer[:40]),
)  # fmt: skip
def test_only_one_answer_lets_a_file_pass(song: Path, answer: bytes) -> None:
    """Whatever else is said, or nothing, is no scan."""
    with answering(answer) as address, pytest.raises(ScannerUnavailable):
        ClamavScanner(address, max_bytes=1 << 20).scan(song, Cancellation())


def test_a_finding_is_named(song: Path) -> None:
    """The name is the scanner's own, of bounded length."""
    with answering(b"stream: OK\0", b"stream: Win.Test FOUND\0", b"stream: " + b"x" * 1000 + b" FOUND\0") as address:
        scanner = ClamavScanner(address, max_bytes=1 << 20)
        assert scanner.scan(song, Cancellation()) == "Win.Test"
        assert scanner.scan(song, Cancellation()) == "x" * 200


def test_a_scan_leaves_nothing_with_its_job(song: Path) -> None:
    """A job that is cancelled later on does not meet the connections of scans that are over."""
    cancel = Cancellation()
    with answering(b"stream: OK\0", b"stream: Win.Test FOUND\0") as address:
        ClamavScanner(address, max_bytes=1 << 20).scan(song, cancel)
    assert not cancel._listeners


def test_a_limit_that_is_told_in_time_names_the_setting(song: Path) -> None:
    """An answer about the size is no finding and no passing fault."""
    with (
        answering(b"INSTREAM size limit exceeded. ERROR\0") as address,
        pytest.raises(ScannerMisconfigured, match=r"^CLAMD_ADDRESS: .*MAX_OBJECT_BYTES"),
    ):
        ClamavScanner(address, max_bytes=1 << 20).scan(song, Cancellation())


def test_another_server_is_no_scanner() -> None:
    """A check is content with nothing but the answer to its question."""
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address, pytest.raises(ScannerUnavailable, match="HTTP"):
        ClamavScanner(address, max_bytes=1 << 20).check()


@pytest.mark.parametrize(
    "place", [("127.0.0.1", 1), Path("/nowhere/clamd.sock"), Path("/" + "x" * 200)], ids=["tcp", "unix", "too_long"]
)
def test_a_scanner_that_is_not_there(song: Path, place: tuple[str, int] | Path) -> None:
    """An address where nothing listens is an outage."""
    scanner = ClamavScanner(place, max_bytes=1 << 20)
    with pytest.raises(ScannerUnavailable, match="can't be reached"):
        scanner.check()
    with pytest.raises(ScannerUnavailable, match="can't be reached"):
        scanner.scan(song, Cancellation())


def test_a_cancelled_job_does_not_wait_for_an_answer(song: Path) -> None:
    """A scan ends as soon as nobody wants it, however long the scanner would take."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        cancel = Cancellation()

        def listen() -> None:
            connection, _ = server.accept()
            connection.settimeout(PATIENCE_S)
            with connection:
                while not connection.recv(1 << 20).endswith(bytes(4)):
                    pass
                cancel.cancel("user")
                while connection.recv(1 << 20):
                    pass

        thread = threading.Thread(target=listen)
        thread.start()
        with pytest.raises(Cancelled):
            ClamavScanner(server.getsockname(), max_bytes=1 << 20, silence_s=3600).scan(song, cancel)
        thread.join(60)
