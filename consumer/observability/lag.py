"""What a lag means: how much work a request is, and how many replicas would do all of it in time."""

import math
import time
from collections.abc import Callable, Iterable

from consumer.core.catalog import MODELS
from consumer.core.errors import Rejected, Transient
from consumer.core.lag import Backlog, PartitionLag
from consumer.core.ports import Codec

_REGISTRY_REST_S = 30.0
_MOST_ESTIMATING_S, _ESTIMATING_SHARE = 5.0, 0.5
_MAX_AUDIO_S = 1e6
_USUAL_TRANSACTION_S = 10.0


class RequestEstimator:
    """Tells a request's model and its seconds of audio: None where it does not say, 0 where it will be refused."""

    def __init__(self, codec: Codec, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._codec, self._clock = codec, clock
        self._rests_until = float("-inf")

    def __call__(self, value: bytes | None) -> tuple[str, float | None]:
        if self._clock() < self._rests_until:
            return "", None
        try:
            request = self._codec.decode_request(value)
        except Rejected:
            return "", 0.0
        except Transient:  # not to be waited for at each record: an estimate is not worth that
            self._rests_until = self._clock() + _REGISTRY_REST_S
            return "", None
        if request.model not in MODELS or not 0 < (request.duration_s or 1) < _MAX_AUDIO_S:
            return "", 0.0
        return request.model, request.duration_s


class PacedEstimator:
    """The same, in at most half of its thread's time, and five seconds at once: beyond that, nothing is said.

    So records that take long to look at hide no figures. A decoder takes two seconds for the most that is usually read
    at once, 2000 records of 50 partitions.
    """

    def __init__(self, estimate: RequestEstimator, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._estimate, self._clock = estimate, clock
        self._left_s, self._seen_at = _MOST_ESTIMATING_S, clock()

    def __call__(self, value: bytes | None) -> tuple[str, float | None]:
        began = self._clock()
        self._left_s = min(_MOST_ESTIMATING_S, self._left_s + _ESTIMATING_SHARE * (began - self._seen_at))
        self._seen_at = began
        if self._left_s <= 0:
            return "", None
        found = self._estimate(value)
        self._seen_at = self._clock()
        self._left_s -= self._seen_at - began
        return found


def held_by_senders(backlog: Backlog | None, *, now_s: float) -> str:
    """Which partitions stand behind a sender's open transaction, "" where none does; `now_s` since the epoch.

    Transactions that take no longer than our own may are not told of.
    """
    standing = [
        f"{lag.partition.topic} [{lag.partition.partition}] ({lag.held} offsets for {lag.held_s(now_s):.0f} s)"
        for lag in (backlog.lags if backlog else ())
        if lag.held_s(now_s) > _USUAL_TRANSACTION_S
    ]
    return f"waiting for a sender's transaction to end: {', '.join(standing)}" if standing else ""


def desired_replicas(backlog: Backlog, work_s: float, *, target_wait_s: float, separators: int, topic: str) -> int:
    """How many replicas, with that many separators each, finish the work within target_wait_s.

    None where nothing is left, one for anything at all (a retry that is not due yet included), and never more than
    the topic has partitions: a further one would get none.
    """
    if not backlog.messages:
        return 0
    most = _partitions(backlog.lags, topic)
    return min(max(1, math.ceil(work_s / (target_wait_s * separators))), max(1, most))


def _partitions(lags: Iterable[PartitionLag], topic: str) -> int:
    return sum(lag.partition.topic == topic for lag in lags)
