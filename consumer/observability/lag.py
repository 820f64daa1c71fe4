"""What a lag means: how much work a request is, and how many replicas would do all of it in time."""

import math
import time
from collections.abc import Callable, Iterable

from consumer.core.catalog import MODELS
from consumer.core.errors import Rejected, Transient
from consumer.core.lag import Backlog, PartitionLag
from consumer.core.ports import Codec

_REGISTRY_REST_S = 30.0
_MAX_AUDIO_S = 1e6


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
