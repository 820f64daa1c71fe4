"""Each lag figure of each replica beside the truth, which an oracle learns from Kafka alone."""

import math
import signal
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from consumer.core.events import OutputOptions
from consumer.observability.throughput import ASSUMED_FACTOR
from harness.clips import write_clip
from harness.holding import go_on, hold_still
from harness.platform import Platform
from harness.replica_process import ReplicaProcess, series
from harness.waiting import wait_for

CLOSE_S = 1.0  # the promise for an age
TARGET_WAIT_S, PARTITIONS, LATE = 2.0, 6, "late"
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Truth:
    """Unfinished records: how many a partition, since when the oldest waits, and their seconds of audio."""

    messages: dict[Place, int]
    oldest_s: dict[Place, float]
    audio_s: float

    def agrees(self, page: str, from_s: float, to_s: float) -> bool:
        """Whether a page that was asked for between these times says just that."""
        factor = next(iter(series(page, "realtime_factor").values()), ASSUMED_FACTOR)
        work_s = self.audio_s / factor
        wanted = min(max(1, math.ceil(work_s / TARGET_WAIT_S)), PARTITIONS) if any(self.messages.values()) else 0
        ages = series(page, "lag_seconds")
        return (
            series(page, "lag_messages") == self.messages
            and ages.keys() == self.messages.keys()
            and all(self._is_age(place, age, from_s, to_s) for place, age in ages.items())
            and series(page, "backlog_work_seconds") == {("", -1): pytest.approx(work_s)}
            and series(page, "desired_replicas") == {("", -1): wanted}
        )

    def _is_age(self, place: Place, age_s: float, from_s: float, to_s: float) -> bool:
        if place not in self.oldest_s:
            return age_s == 0.0
        return from_s - CLOSE_S <= self.oldest_s[place] + age_s <= to_s + CLOSE_S


def learn(platform: Platform) -> Truth:
    topics = [platform.topic("REQUESTS"), f"{platform.topic('REQUESTS')}.retry-1"]
    messages = {(topic, number): 0 for topic in topics for number in range(PARTITIONS)}
    born_s: defaultdict[Place, list[float]] = defaultdict(list)
    audio_s = 0.0
    for record in platform.unfinished():
        place = (record.topic() or "", record.partition() or 0)
        messages[place] += 1
        born_s[place].append(record.timestamp()[1] / 1000)
        audio_s += platform.codec.decode_request(record.value()).duration_s or 0.0
    return Truth(messages, {place: min(times) for place, times in born_s.items()}, audio_s)


def agree(platform: Platform, *replicas: ReplicaProcess, still: bool = False) -> Truth:
    """Wait until each of them tells the truth, which was the same before and after they were asked; returns it."""
    told: list[Truth] = []

    def do_agree() -> bool:
        if still:
            hold_still(*replicas)
        truth = learn(platform)
        for replica in replicas:
            from_s, page = time.time(), replica.get("/metrics")
            if page is None or not truth.agrees(page.text, from_s, time.time()):
                return False
        told[:] = [truth]
        return learn(platform) == truth

    wait_for(do_agree)
    return told[0]


def test_every_figure_is_the_truth_through_load_rebalances_retry_and_drain(platform: Platform, tmp_path: Path) -> None:
    """Messages, ages, seconds of work and wanted replicas, from every replica, whoever owns the partitions."""
    environment = {
        "TARGET_WAIT_S": f"{TARGET_WAIT_S}s", "RETRY_DELAYS": "10s", "SHUTDOWN_GRACE_S": "0",
        "SEPARATOR_RUNTIME": "openvino", "ALLOWED_OUTPUT_BUCKETS": f"{platform.output_bucket}-{LATE}",
    }  # fmt: skip
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=20.0, seed=1))
    first = platform.start_replica(**environment)
    first.wait_ready()
    agree(platform, first)

    hold_still(first)
    for number in range(30):
        platform.request(key, duration_s=5.0 + number / 2)
    loaded = agree(platform, first, still=True)
    assert sum(loaded.messages.values()) >= 20, "the load was gone before it was looked at"
    for _ in range(2):  # nothing moves but time
        agree(platform, first, still=True)

    second = platform.start_replica(**environment)
    second.wait_ready()
    wait_for(lambda: first.said("partitions.revoked") and second.said("partitions.assigned"))
    shared = agree(platform, first, second, still=True)
    assert sum(shared.messages.values()) > 0

    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(60) == 0
    assert sum(agree(platform, first, still=True).messages.values()) > 0

    def has_gone_on_to_the_end() -> bool:
        go_on(first)
        return platform.lag() == 0

    wait_for(has_gone_on_to_the_end)
    bucket = f"{platform.output_bucket}-{LATE}"
    platform.request(key, duration_s=7.0, output=OutputOptions(bucket=bucket))
    wait_for(lambda: any(topic.endswith("retry-1") and n for (topic, _), n in learn(platform).messages.items()))
    agree(platform, first)
    platform.minio.make_bucket(bucket)
    wait_for(lambda: platform.lag() == 0)
    drained = agree(platform, first)
    assert (set(drained.messages.values()), drained.oldest_s, drained.audio_s) == ({0}, {}, 0.0)
