"""Clients whose user and password lie in files: a change is given to them while they run.

librdkafka asks for these at each connection that it makes, and takes new ones at any time. All else that may lie in a
file, certificates and their keys above all, it reads once, as a client is made.
"""

import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from consumer.core.errors import SettingsError

FOLLOWED = "secret files"  # where a client's configuration has them; no property of librdkafka's has blanks in it
LOOK_EVERY_S = 1.0
_USER, _PASSWORD = "sasl.username", "sasl.password"
_LIVE = {_USER, _PASSWORD}

ClientT = TypeVar("ClientT")


class Readable(Protocol):
    """What gives a secret as it is now."""

    def read(self) -> str:
        """Raises SettingsError where it has never been there."""
        ...


def read_all(files: Mapping[str, Readable]) -> dict[str, str]:
    """Each property as it is now. Raises SettingsError."""
    return {name: file.read() for name, file in files.items()}


def made_to_follow(client: Callable[..., ClientT], files: Mapping[str, Readable]) -> Callable[..., ClientT]:
    """The same kind of client, which gets its user and password anew whenever one of their files has changed.

    It is followed until it is closed, or nobody holds it any more.
    """
    if not _LIVE & files.keys() or not isinstance(client, type):
        return client

    class Following(client):  # type: ignore[valid-type, misc]
        """One that can be referred to weakly, and knows that it is closed before what it stands for is gone."""

        def __init__(self, config: dict[str, Any], **options: Any) -> None:
            self.following = _Following(config)  # before there are threads of librdkafka's
            super().__init__(config, **options)
            self.following.begin(self, files)

        def close(self, *arguments: Any, **options: Any) -> Any:
            self.following.end()
            return super().close(*arguments, **options)

        def __exit__(self, *reason: Any) -> Any:
            self.following.end()
            return super().__exit__(*reason)

    return Following


class _Following:
    """One client's: a thread that looks into the files, until the client is gone."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._given = {name: str(config.get(name, "")) for name in _LIVE}
        self._lock = threading.Lock()  # held while the client is told, so that it is not closed meanwhile
        self._ended = threading.Event()

    def begin(self, client: Any, files: Mapping[str, Readable]) -> None:
        of_interest = {name: file for name, file in files.items() if name in _LIVE}
        arguments = (weakref.ref(client), of_interest)
        threading.Thread(target=self._run, args=arguments, name="kafka secrets", daemon=True).start()

    def end(self) -> None:
        with self._lock:
            self._ended.set()

    def _run(self, client: "weakref.ref[Any]", files: Mapping[str, Readable]) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            if client() is None:
                return
            try:
                now = self._given | read_all(files)
            except SettingsError:  # of a file that was read when the client was made; so it will be there again
                continue
            if now != self._given:
                self._tell(client(), now)

    def _tell(self, client: Any, now: dict[str, str]) -> None:
        with self._lock:
            if client is not None and not self._ended.is_set():
                client.set_sasl_credentials(now[_USER], now[_PASSWORD])
                self._given = now
