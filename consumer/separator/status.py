"""What a separator process is known to be doing, for probes and metrics."""

from dataclasses import dataclass

from consumer.core.model import NO_USAGE, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparatorStatus:
    """A separator process at one moment; what changes makes a new one.

    ready: whether all its models are loaded. reason: why it is not ready, "" where it is. sandbox: what keeps it from
    touching anything else, in a few words, "" until it has said so. namespaces: which it has of its own, or why none,
    in the same way. restarts: processes that took another's place. own, ffmpeg: what the present process and all its
    ffmpegs have used. last_heartbeat: seconds of time.monotonic() when it last gave a sign of life.
    """

    ready: bool = False
    reason: str = "starting"
    sandbox: str = ""
    namespaces: str = ""
    restarts: int = 0
    own: Usage = NO_USAGE
    ffmpeg: Usage = NO_USAGE
    last_heartbeat: float = 0.0
