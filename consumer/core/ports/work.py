"""What works on a record: the codec, the scanner, the separator."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from consumer.core.cancellation import Cancellation
from consumer.core.events import Event, SeparationControl, SeparationRequest
from consumer.core.model import Job, Separation, Usage

# Called with the segments done and the segments expected, None where the file does not say how long it is.
OnProgress = Callable[[int, int | None], None]
# Whether a dependency answers at all: raises the same Transient where it does not.
Check = Callable[[], None]


class Codec(Protocol):
    """Events to bytes and back."""

    def decode_request(self, value: bytes | None) -> SeparationRequest:
        """Raises Rejected(AVRO_UNDECODABLE, SCHEMA_UNKNOWN, REQUEST_INVALID) or RegistryUnavailable."""
        ...

    def decode_control(self, value: bytes | None) -> SeparationControl:
        """As decode_request."""
        ...

    def encode(self, event: Event) -> bytes:
        """Raises RegistryUnavailable."""
        ...


class Scanner(Protocol):
    """Looks for malware. Both methods raise ScannerUnavailable unless it did what it was asked for."""

    def scan(self, path: Path, cancel: Cancellation) -> str | None:
        """The name of what it found in the file, None where it looked at all of it and found nothing.

        Raises Cancelled at once.
        """
        ...

    def check(self) -> None:
        """Answers, and takes the largest file that it may be given; else ScannerMisconfigured, with the reason."""
        ...


class Room(Protocol):
    """Where a track's stems lie until they are stored."""

    @property
    def most_bytes(self) -> int:
        """All that its stems may ever take, were nothing else there."""
        ...

    def reserve(self, size_bytes: int) -> None:
        """Have so much kept free for its stems, all in all. Raises ScratchUnavailable where there is not now."""
        ...


class Separator(Protocol):
    """Separates one track at a time."""

    @property
    def folder(self) -> Path | None:
        """The one in which a track's own folder must lie to be separated; None: it may lie anywhere."""
        ...

    def revive(self) -> None:
        """Start it again if it died while there was nothing to do. Returns at once."""
        ...

    def prepare(self, cancel: Cancellation) -> None:
        """Return once it is warm; what keeps it from that is no job's fault. Raises Cancelled."""
        ...

    def separate(
        self, job: Job, path: Path, *, cancel: Cancellation, on_progress: OnProgress, room: Room | None = None
    ) -> Separation:
        """Stem files beside `path`, each a regular file of a size that can be. room: for them; None for what there is.

        Raises Rejected, WorkerCrashed, Cancelled (within a second), and what `room` raises.
        """
        ...


class SeparatorStatus(Protocol):
    """One separator process as its client last saw it. It may change between two looks."""

    @property
    def ready(self) -> bool:
        """Whether all its models are loaded."""
        ...

    @property
    def reason(self) -> str:
        """Why it is not ready, "" where that is not known."""
        ...

    @property
    def sandbox(self) -> str:
        """What it can't reach beyond, in a few words; "" while that is not known."""
        ...

    @property
    def namespaces(self) -> str:
        """Which it has of its own, or why none, in a few words; "" while that is not known."""
        ...

    @property
    def restarts(self) -> int:
        """How often its process was started again."""
        ...

    @property
    def own(self) -> Usage:
        """What its present process uses."""
        ...

    @property
    def ffmpeg(self) -> Usage:
        """What that process's children use together."""
        ...

    @property
    def last_heartbeat(self) -> float:
        """When it last gave a sign of life, by time.monotonic()."""
        ...


class SeparatorProcess(Separator, Protocol):
    """A separator that is a process of its own, to be started and ended."""

    @property
    def status(self) -> SeparatorStatus: ...

    def start(self) -> None:
        """Start it; returns at once."""
        ...

    def kill(self) -> None:
        """End it now, for good."""
        ...
