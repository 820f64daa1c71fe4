"""A daemon that takes clamd's questions and answers as it should not: by time, by halves, by rubbish."""

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what is open is not ended but reset


class Question:
    """One connection's. asked: `zPING` or `zINSTREAM`; of a stream nothing has been read yet but that word."""

    def __init__(self, handler: socketserver.StreamRequestHandler, ended: threading.Event) -> None:
        self._handler, self._ended = handler, ended
        self.asked = self._until_zero()

    def _until_zero(self) -> bytes:
        word = b""
        while (byte := self._handler.rfile.read(1)) not in (b"", b"\0"):
            word += byte
        return word

    def read_all(self) -> None:
        """The stream, up to its end."""
        while (head := self._handler.rfile.read(4)) and (size := struct.unpack("!L", head)[0]):
            self._handler.rfile.read(size)

    def say(self, answer: bytes) -> None:
        self._handler.wfile.write(answer)
        self._handler.wfile.flush()

    def reset(self) -> None:
        """Drop the connection as a crash would."""
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def stall(self) -> None:
        """Until the daemon is taken down."""
        self._ended.wait(120)


@contextmanager
def lying_clamd(lie: Callable[[Question], None], *, pongs: bool = True) -> Iterator[tuple[str, int]]:
    """Where one listens that answers each stream so. pongs: whether it says properly that it is there."""
    ended = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, struct.error):
                question = Question(self, ended)
                if pongs and question.asked == b"zPING":
                    question.say(b"PONG\0")
                else:
                    lie(question)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, allow_reuse_address, block_on_close = True, True, False

        def server_bind(self) -> None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            super().server_bind()

        def handle_error(self, *_: object) -> None:
            """Who asks may hang up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield ("127.0.0.1", server.server_address[1])
        finally:
            ended.set()
            server.shutdown()
