"""Has the malware scanner look at the object before anything else does."""

from dataclasses import dataclass

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Code, Rejected, StoreUnavailable
from consumer.core.model import LocalTrack
from consumer.core.ports import Quarantine, Scanner


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """quarantine: what is done with an object in which something was found; None: nothing."""

    scanner: Scanner
    quarantine: Quarantine | None = None

    def __call__(self, track: LocalTrack, cancel: Cancellation) -> LocalTrack:
        """The same track, clean. Raises Rejected(MALWARE_FOUND), ScannerUnavailable, Cancelled."""
        if (found := self.scanner.scan(track.path, cancel)) is not None:
            raise Rejected(Code.MALWARE_FOUND, f"the scanner found {found}{self._put_away(track, found)}")
        return track

    def _put_away(self, track: LocalTrack, found: str) -> str:
        """What to tell of it beside the finding. That it fails is no reason to let the finding wait, or be lost."""
        if self.quarantine is not None:
            try:
                self.quarantine.put_away(track.source, found)
            except (StoreUnavailable, Rejected) as error:
                return f"; the object could not be put into quarantine ({error})"
        return ""
