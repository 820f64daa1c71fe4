"""The malware scanner: clamd, over TCP or a unix socket, by its INSTREAM command.

Only the answer `stream: OK` lets a file pass. Any other that is not a finding, and none at all, is the scanner's fault.
Where there are several daemons, the next is asked where one has not answered. Files of some types, MP3 and Ogg among
them, clamd passes without looking into them; so it is shown each file twice, the
second time behind a byte that hides its type.
"""

import contextlib
import re
import select
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from consumer.core.cancellation import Cancellation
from consumer.core.errors import ScannerMisconfigured, ScannerUnavailable

Address = tuple[str, int] | Path
T = TypeVar("T")

CONNECT_S = 3.0
SILENCE_S = 150.0  # clamd ends a scan by itself after 120 s (MaxScanTime)
_CHUNK_BYTES = 1 << 20
_MOST_IN_A_CHUNK = 2**32 - 1
_ANSWER_BYTES = 4096
_MASK = b"\0"
_CLEAN, _TOO_LARGE = "stream: OK", "INSTREAM size limit exceeded. ERROR"
_FOUND = re.compile(r"stream: (\S.*) FOUND")
_LIMIT = "CLAMD_ADDRESS: the scanner's StreamMaxLength must be larger than MAX_OBJECT_BYTES"


class ClamavScanner:
    """See ports.Scanner. Thread-safe: each scan has a connection of its own.

    addresses: of one daemon or several, the first of which is asked first. max_bytes: the largest file that will be
    scanned. silence_s: how long clamd may neither read nor answer.
    """

    def __init__(self, *addresses: Address, max_bytes: int, silence_s: float = SILENCE_S) -> None:
        self._addresses, self._max_bytes, self._silence_s = addresses, max_bytes, silence_s

    def scan(self, path: Path, cancel: Cancellation) -> str | None:
        for mask in (b"", _MASK):
            if (found := self._first_answer(partial(self._scan, path, mask, cancel))) is not None:
                return found
        return None

    def _first_answer(self, ask: Callable[[Address], T]) -> T:
        """Of the first daemon that gives one. Raises ScannerUnavailable where none does: no file passes then."""
        failed: list[ScannerUnavailable] = []
        for address in self._addresses:
            try:
                return ask(address)
            except ScannerUnavailable as error:
                failed.append(error)
        raise next((each for each in failed if isinstance(each, ScannerMisconfigured)), failed[-1])

    def _scan(self, path: Path, mask: bytes, cancel: Cancellation, address: Address) -> str | None:
        with (
            _connected(address, self._silence_s) as connection,
            path.open("rb") as file,
            cancel.listen(lambda: _cut(connection)),
        ):
            try:
                connection.sendall(b"zINSTREAM\0")
                chunk = mask + file.read(_CHUNK_BYTES)
                while chunk:
                    connection.sendall(struct.pack("!L", len(chunk)) + chunk)
                    chunk = file.read(_CHUNK_BYTES)
                is_early = _has_answered(connection)
                connection.sendall(struct.pack("!L", 0))
                answer = _answer(connection, self._silence_s)
            except OSError as error:
                cancel.check()
                if not isinstance(error, TimeoutError):
                    # Of what is too large it may hang up before it answers so.
                    _check_limit(address, path.stat().st_size + len(mask))
                raise ScannerUnavailable(f"the scanner broke off ({_reason(error)})") from error
        cancel.check()
        if is_early and answer == _CLEAN:
            raise ScannerUnavailable("the scanner answered before it had all of the file")
        return _finding_in(answer)

    def check(self) -> None:
        failed: list[ScannerUnavailable] = []
        for address in self._addresses:
            try:
                self._check(address)
            except ScannerMisconfigured:  # whoever gets the next file may be this one
                raise
            except ScannerUnavailable as error:
                failed.append(error)
        if len(failed) == len(self._addresses):
            raise failed[-1]

    def _check(self, address: Address) -> None:
        with _connected(address, CONNECT_S) as connection:
            try:
                connection.sendall(b"zPING\0")
                answer = _answer(connection, CONNECT_S)
            except OSError as error:
                raise ScannerUnavailable(f"the scanner does not answer ({_reason(error)})") from error
        if answer != "PONG":
            raise ScannerUnavailable(f"the scanner says {answer[:200]!r}" if answer else "the scanner hung up")
        _check_limit(address, self._max_bytes + len(_MASK))


def _check_limit(address: Address, size_bytes: int) -> None:
    """Announce so much and then send nothing: of what is too much clamd complains at once.

    Raises ScannerMisconfigured; ScannerUnavailable where it can't be asked.
    """
    with _connected(address, CONNECT_S) as connection:
        try:
            connection.sendall(b"zINSTREAM\0" + struct.pack("!L", min(size_bytes, _MOST_IN_A_CHUNK)))
            connection.shutdown(socket.SHUT_WR)
            answer = _answer(connection, CONNECT_S)
        except OSError as error:
            raise ScannerUnavailable(f"the scanner does not answer ({_reason(error)})") from error
    if answer == _TOO_LARGE:
        raise ScannerMisconfigured(f"{_LIMIT}; it takes no {size_bytes} bytes")


def _connected(address: Address, timeout_s: float) -> socket.socket:
    """A connection, on which nothing takes longer than timeout_s."""
    try:
        connection = _connect(address)
    except OSError as error:
        raise ScannerUnavailable(f"the scanner can't be reached ({_reason(error)})") from error
    connection.settimeout(timeout_s)
    return connection


def _connect(address: Address) -> socket.socket:
    if not isinstance(address, Path):
        return socket.create_connection(address, CONNECT_S)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT_S)
        connection.connect(str(address))
    except OSError:
        connection.close()
        raise
    return connection


def _has_answered(connection: socket.socket) -> bool:
    """Whether something of it waits to be read, its hanging up included."""
    return bool(select.select([connection], [], [], 0)[0])


def _answer(connection: socket.socket, timeout_s: float) -> str:
    """The whole answer, which ends with a zero as the question did; "" where it hangs up without one.

    Raises TimeoutError where it takes longer, and ConnectionError where it stops in the middle of one.
    """
    received, ends_at = b"", time.monotonic() + timeout_s
    while not received.endswith(b"\0"):
        if len(received) >= _ANSWER_BYTES:
            raise ConnectionError("its answer has no end")
        if time.monotonic() > ends_at:
            raise TimeoutError("timed out")
        if not (more := connection.recv(_ANSWER_BYTES)):
            if received:
                raise ConnectionError(f"half an answer: {received[:200]!r}")
            return ""
        received += more
    return received.rstrip(b"\0").decode("utf-8", "replace").strip()


def _finding_in(answer: str) -> str | None:
    """The name of what was found, None where the file is clean."""
    if answer == _CLEAN:
        return None
    if found := _FOUND.fullmatch(answer):
        return found[1][:200]
    if answer == _TOO_LARGE:
        raise ScannerMisconfigured(_LIMIT)
    raise ScannerUnavailable(f"the scanner says {answer[:200]!r}" if answer else "the scanner hung up")


def _cut(connection: socket.socket) -> None:
    """Wake the thread that waits for it."""
    with contextlib.suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
