"""The file that says which tenant may read where, and have stems where: followed while it changes."""

from collections.abc import Callable
from pathlib import Path

import structlog

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.followed_file import FileKind, FollowedFile, UnusableFile
from consumer.core.log_events import LogEvent
from consumer.core.tenants import TenantMap, parse_tenants

_KIND = FileKind(variable="TENANTS_FILE", holds="tenants", most_bytes=16 << 20)


class FollowedTenants:
    """A version that is broken or away changes nothing: what was read last stays, and a log line says why.

    Thread-safe. Raises SettingsError, which names TENANTS_FILE, where the file can't be used from the start.
    """

    def __init__(self, path: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self._log = structlog.get_logger()
        self._file = FollowedFile(path, _KIND, _decoded, self._tell, clock)

    def now(self) -> TenantMap:
        """What counts."""
        return self._file.now()

    def _tell(self, tenants: TenantMap, trouble: str) -> None:
        if trouble:
            self._log.error(LogEvent.TENANTS_UNREADABLE, reason=trouble, kept=len(tenants))
        else:
            self._log.info(LogEvent.TENANTS_READ, number=len(tenants))


def followed_tenants(path: Path | None) -> Callable[[], TenantMap] | None:
    """What gives the map that counts; None where there is no file: then every tenant may use what is allowed at all."""
    return None if path is None else FollowedTenants(path).now


def _decoded(data: bytes) -> TenantMap:
    try:
        return parse_tenants(data)
    except ValueError as error:
        raise UnusableFile(f"is none of tenants ({error})") from None
