"""A malware scanner's stand-in."""

from pathlib import Path

from consumer.core.cancellation import Cancellation
from consumer.core.errors import ScannerUnavailable


class FakeScanner:
    """Finds what `finds` says for bytes that a file holds; away for the first `away` questions of any kind."""

    def __init__(self, *, away: int = 0, finds: dict[bytes, str] | None = None) -> None:
        self.away, self.finds = away, finds or {}
        self.scanned: list[bytes] = []

    def scan(self, path: Path, cancel: Cancellation) -> str | None:
        cancel.check()
        self.check()
        content = path.read_bytes()
        self.scanned.append(content)
        return next((name for mark, name in self.finds.items() if mark in content), None)

    def check(self) -> None:
        if self.away > 0:
            self.away -= 1
            raise ScannerUnavailable("away")
