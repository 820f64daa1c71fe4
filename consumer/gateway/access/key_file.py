"""The file of keys: read by the gateway, which follows it while it changes, and written by `spleeter-consumer keys`.

It is JSON, `{"version": 1, "keys": [...]}` with one KeyRecord each, and holds no key, only digests of keys.
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import Fatal
from consumer.core.followed_file import FileKind, FollowedFile, UnusableFile
from consumer.core.log_events import LogEvent
from consumer.gateway.access.keys import KeyRecord, KeyRing

_KIND = FileKind(variable="API_KEYS_FILE", holds="keys", most_bytes=16 << 20)  # some 40,000 keys
_LOCK_WITHIN_S = 10.0
_MODE = 0o600


class _Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1]
    keys: tuple[KeyRecord, ...]


class KeyFile:
    """The file as `spleeter-consumer keys` changes it: one writer at a time, and readers see all of a change or none.

    A symbolic link is followed: what it leads to is changed. lock_within_s: how long to wait for another writer.
    """

    def __init__(self, path: Path, *, lock_within_s: float = _LOCK_WITHIN_S) -> None:
        with contextlib.suppress(RuntimeError):  # links that lead back to themselves can't be opened either
            path = path.resolve()
        self._path = path
        self._lock_within_s = lock_within_s

    def read(self) -> Sequence[KeyRecord]:
        """All keys, also revoked ones, the oldest first. Raises Fatal with one line."""
        try:
            return _decoded(_KIND.read(self._path))
        except UnusableFile as error:
            raise Fatal(f"{self._path}: the file {error}") from None

    def add(self, record: KeyRecord) -> None:
        """Keep one more key; the file is made where there is none. Raises Fatal, and then nothing has changed."""
        self._change(lambda records: (*records, record))

    def revoke(self, key_id: str, clock: Clock = SYSTEM_CLOCK) -> KeyRecord:
        """Take a key back for good, and return what is kept of it; one that was revoked before stays as it is.

        Raises Fatal where there is no such key, or where the file can't be changed.
        """
        now = clock.now().replace(microsecond=0)

        def revoked(record: KeyRecord) -> KeyRecord:
            if record.id != key_id or record.revoked_at is not None:
                return record
            return msgspec.structs.replace(record, revoked_at=now)

        records = self._change(lambda records: tuple(map(revoked, records)), must_have=key_id)
        return next(record for record in records if record.id == key_id)

    def _change(
        self, change: Callable[[Sequence[KeyRecord]], tuple[KeyRecord, ...]], *, must_have: str | None = None
    ) -> Sequence[KeyRecord]:
        with self._locked():
            before = self.read() if must_have or self._path.exists() else ()
            if must_have and all(record.id != must_have for record in before):
                raise Fatal(f"there is no key {must_have}")
            after = change(before)
            self._write(after)
        return after

    def _write(self, records: tuple[KeyRecord, ...]) -> None:
        text = msgspec.json.encode(_Content(version=1, keys=records), order="deterministic")
        new = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
            try:
                with open(descriptor, "wb") as file:
                    file.write(msgspec.json.format(text, indent=2) + b"\n")
                    file.flush()
                    os.fsync(descriptor)
                new.replace(self._path)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
            _sync_folder(self._path.parent)
        except OSError as error:
            raise Fatal(f"{self._path}: can't be written ({error.strerror})") from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among writers. The lock lies beside the file, which is replaced by each change."""
        lock = self._path.with_name(f"{self._path.name}.lock")
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, _MODE)
        except OSError as error:
            raise Fatal(f"{self._path}: can't be written ({error.strerror})") from error
        try:
            until = time.monotonic() + self._lock_within_s
            while not _lock_now(descriptor):
                if time.monotonic() > until:
                    raise Fatal(f"{self._path}: another process is changing it")
                time.sleep(0.02)
            yield
        finally:
            os.close(descriptor)  # which lets go of the lock


class FollowedKeys:
    """The keys in the file as it is now, looked at once a second at most: a change is seen, however it was made.

    A version that is broken or away changes nothing: the keys that were read last stay, and a log line says why.
    Raises SettingsError, which names API_KEYS_FILE, where the file can't be used from the start.
    """

    def __init__(self, path: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self._log = structlog.get_logger()
        self._file = FollowedFile(path, _KIND, lambda data: KeyRing(_decoded(data)), self._tell, clock)

    def now(self) -> KeyRing:
        """The keys to compare with."""
        return self._file.now()

    def _tell(self, ring: KeyRing, trouble: str) -> None:
        if trouble:
            self._log.error(LogEvent.KEYS_UNREADABLE, reason=trouble, kept=len(ring))
        else:
            self._log.info(LogEvent.KEYS_READ, number=len(ring))


def _decoded(data: bytes) -> tuple[KeyRecord, ...]:
    try:
        records = msgspec.json.decode(data, type=_Content).keys
        KeyRing(records)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UnusableFile(f"is none of keys ({error})") from None
    return records


def _lock_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
