"""A way to a gateway that is cut in the middle of what is sent: a TCP relay of the tests' own."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_PIECE_BYTES = 1 << 16


@contextmanager
def relay(target: Callable[[], int], *, cut_after_bytes: int, on_cut: Callable[[], None]) -> Iterator[int]:
    """The port of a relay to `target`'s port on this machine, which is asked for at each connection.

    Once so many bytes were handed on, of all connections together, `on_cut` is called while they are in the middle,
    and they are closed; what is connected afterwards is left alone.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        ended = threading.Event()
        cut = _Cut(cut_after_bytes, on_cut)

        def serve() -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    near, _ = server.accept()
                    threading.Thread(target=_join, args=(near, target(), cut), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join(60)


class _Cut:
    def __init__(self, after_bytes: int, on_cut: Callable[[], None]) -> None:
        self._left, self._on_cut, self._lock = after_bytes, on_cut, threading.Lock()

    def passed(self, size_bytes: int) -> bool:
        """Whether it is cut just here."""
        with self._lock:
            was, self._left = self._left, self._left - size_bytes
            is_here = was > 0 >= self._left
            if is_here:
                self._on_cut()
        return is_here


def _join(near: socket.socket, port: int, cut: _Cut) -> None:
    with near:
        try:
            far = socket.create_connection(("127.0.0.1", port), timeout=30)
        except OSError:
            return
        with far:
            back = threading.Thread(target=_copy, args=(far, near, lambda _: False), daemon=True)
            back.start()
            _copy(near, far, cut.passed)
            back.join(60)


def _copy(source: socket.socket, target: socket.socket, is_cut: Callable[[int], bool]) -> None:
    """Until it ends, or is cut: then both sides are told."""
    with suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)
            if is_cut(len(piece)):
                break
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
