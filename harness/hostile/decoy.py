"""What hostile files point at: a file and an address that nobody has a reason to touch, and who touched them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from inotify_simple import INotify, flags

_BACKLOG = 64
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoy:
    """A song outside of every track's folder and a port on loopback, by TCP and by UDP.

    touched: what came to them, in words; empty unless a wall fell.
    """

    song: Path
    port: int
    touched: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/song.wav"


@contextmanager
def decoy(song: Path) -> Iterator[Decoy]:
    """Watches the file, its folder and the port until the end. song: a sound file that is there."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as streams,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        INotify() as watcher,
    ):
        port = streams.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        watched = Decoy(song=song, port=port)
        watcher.add_watch(song.parent, flags.OPEN | flags.ACCESS | flags.MODIFY | flags.CREATE | flags.ATTRIB)
        over = threading.Event()
        looks = [
            threading.Thread(target=_look, args=(each, over, watched))
            for each in (_connections(streams), _packets(datagrams), _accesses(watcher))
        ]
        for look in looks:
            look.start()
        try:
            yield watched
        finally:
            over.set()
            for look in looks:
                look.join(30)


def _look(seen: Iterator[list[str]], over: threading.Event, watched: Decoy) -> None:
    while not over.is_set():
        watched.touched.extend(next(seen))


def _connections(listener: socket.socket) -> Iterator[list[str]]:
    listener.settimeout(_LOOK_S)
    while True:
        try:
            connection, address = listener.accept()
        except TimeoutError:
            yield []
        else:
            connection.close()
            yield [f"a connection from {address}"]


def _packets(bound: socket.socket) -> Iterator[list[str]]:
    bound.settimeout(_LOOK_S)
    while True:
        try:
            yield [f"a packet of {len(bound.recv(65536))} bytes"]
        except TimeoutError:
            yield []


def _accesses(watcher: INotify) -> Iterator[list[str]]:
    while True:
        events = watcher.read(timeout=int(_LOOK_S * 1000))
        yield [f"{[str(flag) for flag in flags.from_mask(event.mask)]} of {event.name!r}" for event in events]
