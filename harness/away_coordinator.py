"""A way to a Kafka broker on which it says, so many times, that it is not the coordinator that is asked for offsets."""

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Kafka's protocol guide: requests by their numbers, and error codes.
_OFFSET_FETCH, _NOT_COORDINATOR = 9, 16
_WITH_GROUPS = 8  # the version from which on a request asks of several groups, each with an error of its own
_BLOCK = 1 << 16


class AwayCoordinator(socketserver.ThreadingTCPServer):
    """refusals: how many of the next questions for committed offsets it answers itself. refused: how many it has."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, port: int, broker_port: int) -> None:
        """port: where it listens. broker_port: where the broker listens for those who come this way."""
        super().__init__(("127.0.0.1", port), _Way)
        self.broker_port, self.refusals, self.refused = broker_port, 0, 0
        self._counting = threading.Lock()

    def answer(self, request: bytes) -> bytes | None:
        """What to say in the broker's place, without its length; None where the broker is to be asked."""
        key, version, correlation = struct.unpack_from(">hhi", request)
        if key != _OFFSET_FETCH or version < _WITH_GROUPS:
            return None
        with self._counting:
            if not self.refusals:
                return None
            self.refusals -= 1
            self.refused += 1
        group = _group(request)
        # No tags in the head; no throttling; one group, without topics, and its error; no tags of either.
        group_answer = bytes([len(group) + 1]) + group + b"\x01" + struct.pack(">h", _NOT_COORDINATOR) + b"\0"
        return struct.pack(">ibi", correlation, 0, 0) + b"\x02" + group_answer + b"\0"


class _Way(socketserver.BaseRequestHandler):
    server: AwayCoordinator

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.broker_port), 60) as broker:
            broker.settimeout(None)
            sending = threading.Lock()
            threading.Thread(target=self._bring_back, args=(broker, sending), daemon=True).start()
            with contextlib.suppress(OSError), self.request.makefile("rb") as requests:
                while len(head := requests.read(4)) == 4:
                    request = requests.read(*struct.unpack(">i", head))
                    if (answer := self.server.answer(request)) is None:
                        broker.sendall(head + request)
                        continue
                    with sending:
                        self.request.sendall(struct.pack(">i", len(answer)) + answer)
            with contextlib.suppress(OSError):
                broker.shutdown(socket.SHUT_RDWR)

    def _bring_back(self, broker: socket.socket, sending: threading.Lock) -> None:
        """Each answer whole, since one of ours may come between two of them."""
        with contextlib.suppress(OSError), broker.makefile("rb") as answers:
            while len(head := answers.read(4)) == 4:
                answer = answers.read(*struct.unpack(">i", head))
                with sending:
                    self.request.sendall(head + answer)
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)


@contextmanager
def away_coordinator(port: int, broker_port: int) -> Iterator[AwayCoordinator]:
    """One that listens as long as the context lasts."""
    with AwayCoordinator(port, broker_port) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            yield server
        finally:
            server.shutdown()
            serving.join(60)


def _group(request: bytes) -> bytes:
    """The id of the first group that a request asks of: behind its head with the client's id, and tags, none."""
    (client_id_bytes,) = struct.unpack_from(">h", request, 8)
    place = 10 + max(client_id_bytes, 0) + 1  # behind the head's tags
    place += 1  # how many groups
    return request[place + 1 : place + request[place]]
