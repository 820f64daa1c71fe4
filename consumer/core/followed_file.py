"""A file that is followed while it changes, as orchestrators mount them and people edit them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import SettingsError

T = TypeVar("T")
_LOOK_EVERY_S = 1.0


class UnusableFile(Exception):
    """Why a file can't be used, as words behind "the file", without anything secret that it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """variable: that names it. holds: what is in it, in a word or two. most_bytes: a longer one is none."""

    variable: str
    holds: str
    most_bytes: int

    def read(self, path: Path) -> bytes:
        """All of it. Raises UnusableFile."""
        try:
            with path.open("rb") as file:
                data = file.read(self.most_bytes + 1)
        except OSError as error:
            raise UnusableFile(f"can't be read ({error.strerror})") from None
        if len(data) > self.most_bytes:
            raise UnusableFile(f"is too large for a file of {self.holds}")
        return data


class FollowedFile(Generic[T]):
    """What is in the file now, looked at once a second at most: a change is seen, however it was made. Thread-safe.

    decode: makes a value of its bytes, or raises UnusableFile. A version that is broken or away changes nothing: the
    value before stays. on_change: is told of each change with the value that counts and why the file can't be used;
    "" where it can. Raises SettingsError, which names the variable, where the file can't be used from the start.
    """

    def __init__(
        self,
        path: Path,
        kind: FileKind,
        decode: Callable[[bytes], T],
        on_change: Callable[[T, str], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._path, self._kind, self._decode = path, kind, decode
        self._on_change, self._clock = on_change, clock
        self._looking = threading.Lock()
        try:
            self._seen: bytes | str = kind.read(path)  # the file's bytes, or why it can't be read
            self._value = decode(self._seen)
        except UnusableFile as error:
            raise SettingsError(f"{kind.variable}: the file {error}", variables=(kind.variable,)) from None
        self._looked_at_s = clock.monotonic()

    def now(self) -> T:
        """What counts."""
        if self._clock.monotonic() - self._looked_at_s >= _LOOK_EVERY_S and self._looking.acquire(blocking=False):
            try:
                self._looked_at_s = self._clock.monotonic()
                self._look()
            finally:
                self._looking.release()
        return self._value

    def _look(self) -> None:
        """Whole files are compared: neither times nor sizes tell of every change, and this is a millisecond's work."""
        try:
            seen: bytes | str = self._kind.read(self._path)
        except UnusableFile as error:
            seen = str(error)
        if seen == self._seen:
            return
        self._seen, trouble = seen, ""
        try:
            if isinstance(seen, str):
                raise UnusableFile(seen)
            self._value = self._decode(seen)
        except UnusableFile as error:
            trouble = f"the file {error}"
        self._on_change(self._value, trouble)
