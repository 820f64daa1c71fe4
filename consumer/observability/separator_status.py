"""What probes and metrics want to know of a separator, whoever keeps it."""

from typing import Protocol

from consumer.core.model import Usage


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
