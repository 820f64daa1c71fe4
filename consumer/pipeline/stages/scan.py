"""Has the malware scanner look at the object before anything else does."""

from dataclasses import dataclass

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Code, Rejected
from consumer.core.model import LocalTrack
from consumer.core.ports import Scanner


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    scanner: Scanner

    def __call__(self, track: LocalTrack, cancel: Cancellation) -> LocalTrack:
        """The same track, clean. Raises Rejected(MALWARE_FOUND), ScannerUnavailable, Cancelled."""
        if (found := self.scanner.scan(track.path, cancel)) is not None:
            raise Rejected(Code.MALWARE_FOUND, f"the scanner found {found}")
        return track
