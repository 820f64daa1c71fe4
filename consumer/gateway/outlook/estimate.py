"""The time that a job will take, from what stands before it and how fast separators are. Pure."""

import math
from dataclasses import dataclass

from consumer.gateway.outlook.pace import Pace, Spread
from consumer.gateway.outlook.waiting_line import Work, WorkAhead

_NINE_OF_TEN = 1.645  # deviations to each side
_LATE_S = 2.0  # until an end is in the index


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A job's. ahead: what is done before it, by all separators; same_partition: what of that its partition holds.

    separators: at work; at least one.
    """

    own: Work
    ahead: WorkAhead
    same_partition: WorkAhead
    separators: int


def work_s(ahead: WorkAhead, pace: Pace) -> Spread | None:
    """Seconds that one separator needs for all of it; None where it can't be known."""
    mean = low = high = ahead.network_ms / 1000
    if ahead.unknown_networks:
        if math.isnan(pace.audio_s):
            return None
        mean += ahead.unknown_networks * pace.audio_s
        # Each track is longer or shorter than the mean, and the mean itself is known of a few tracks alone.
        deviations = math.sqrt(ahead.unknown_squares + ahead.unknown_networks**2 / pace.tracks)
        apart = _NINE_OF_TEN * pace.audio_sd_s * deviations
        low, high = max(low, mean - apart), mean + apart
    speed = pace.speed
    return Spread(mean=mean * speed.mean, low=low * speed.low, high=high * speed.high)


def time_to_go(situation: Situation, pace: Pace) -> Spread | None:
    """Seconds until its end; None where they can't be known.

    Work is shared by all separators, or, at the worst, what is in the job's own partition is one separator's alone.
    """
    ahead, same = work_s(situation.ahead, pace), work_s(situation.same_partition, pace)
    own = work_s(WorkAhead.of(situation.own), pace)
    if ahead is None or same is None or own is None:
        return None
    count = situation.separators
    return Spread(
        mean=ahead.mean / count + own.mean + pace.way_s.mean,
        low=ahead.low / count + own.low,
        high=max(ahead.high / count, same.high) + own.high + pace.way_s.high + _LATE_S,
    )
