"""One burst: sent while there is no replica, and watched until all is done and there is none again."""

import json
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.scaling.kubelet import Kubelet
from consumer.core.events import SeparationRequest, SeparationResult, SourceObject
from harness.chaos.oracle import RECORD, judge
from harness.chaos.traffic import Traffic

_PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """So many songs of these lengths at once. `audio_s`: each song's seconds of audio."""

    name: str
    audio_s: Sequence[float]

    def work_s(self, speed: float) -> float:
        return sum(self.audio_s) / speed


@dataclass(slots=True, kw_only=True)
class Outage:
    """What the scaler asks is away: from at_s (seconds) after a burst was sent until all of it is done."""

    at_s: float
    begin: Callable[[], object]
    end: Callable[[], object]
    replicas_before: int = 0
    fewest_replicas: int = 0
    is_going_on: bool = False
    is_over: bool = False

    def look(self, elapsed_s: float, replicas: int, *, is_done: Callable[[], bool]) -> None:
        if self.is_over:
            return
        if not self.is_going_on:
            if elapsed_s >= self.at_s:
                self.begin()
                self.is_going_on, self.replicas_before, self.fewest_replicas = True, replicas, replicas
        elif is_done():
            self.end()
            self.is_over = True
        else:
            self.fewest_replicas = min(self.fewest_replicas, replicas)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a burst came to. Times in seconds from when it was sent; a replica counts from its start to its end."""

    peak_replicas: int
    first_at_s: float  # the first replica started
    done_at_s: float  # the last outcome
    zero_at_s: float  # the last replica ended
    waits_s: Sequence[float]  # of each song, sorted
    replica_s: float
    separations: int  # one more than songs for each that was begun anew
    findings: Sequence[str]  # of the oracle, and replicas that were taken away in an outage


def make_bursts(seed: int = 7) -> list[Burst]:
    """What comes on an evening, what a radio station sends, what an advertising agency sends."""
    source = random.Random(seed)
    songs = [min(600.0, max(60.0, source.lognormvariate(5.3, 0.35))) for _ in range(200)]
    return [
        Burst(name="200 songs of 1 to 10 minutes", audio_s=songs),
        Burst(name="12 recordings of 20 minutes", audio_s=[1200.0] * 12),
        Burst(name="60 jingles of 10 seconds", audio_s=[10.0] * 60),
    ]


def play(burst: Burst, traffic: Traffic, kubelet: Kubelet, outage: Outage | None = None) -> Outcome:
    """Sent to the traffic's platform, which nothing else sends to."""
    lives_before = len(kubelet.lives)
    sent_before, sent_at, began = len(traffic.sent), time.time(), time.monotonic()
    for audio_s in burst.audio_s:
        traffic.send_request(_request(traffic, audio_s))
    traffic.flush()
    peak, done_at_s = 0, 0.0
    while True:
        elapsed_s = time.monotonic() - began
        if elapsed_s > _PATIENCE_S:
            raise SystemExit(f"{burst.name}: not done after {elapsed_s:.0f} s, with {kubelet.count} replicas")
        peak = max(peak, kubelet.count)
        if outage:
            outage.look(elapsed_s, kubelet.count, is_done=lambda: traffic.platform.lag() == 0)
        if len(kubelet.lives) > lives_before and kubelet.count == 0:
            break
        time.sleep(0.2)
    lives = kubelet.lives[lives_before:]
    completed = _completed(traffic, sent_before)
    waits_s = sorted(at - sent_at for at in completed)
    done_at_s = waits_s[-1] if waits_s else float("nan")
    findings = [
        f"{finding.kind}: {finding.detail}" for finding in judge(traffic.platform, traffic.sent, traffic.sources)
    ]
    if outage and not (outage.is_over and 0 < outage.replicas_before <= outage.fewest_replicas):
        findings.append(f"{outage.replicas_before} replicas became {outage.fewest_replicas} while nobody could tell")
    return Outcome(
        peak_replicas=peak,
        first_at_s=lives[0].started_at - began,
        done_at_s=done_at_s,
        zero_at_s=max(life.ended_at or 0.0 for life in lives) - began,
        waits_s=waits_s,
        replica_s=sum((life.ended_at or 0.0) - life.started_at for life in lives),
        separations=sum(_separations(life.log.read_text()) for life in lives),
        findings=findings,
    )


def _request(traffic: Traffic, audio_s: float) -> SeparationRequest:
    return SeparationRequest(
        request_id=uuid.uuid4().hex,
        source=SourceObject(bucket=traffic.platform.source_bucket, key=traffic.random.choice(sorted(traffic.sources))),
        requested_at=datetime.now(UTC),
        duration_s=audio_s,
    )


def _completed(traffic: Traffic, skip: int) -> list[float]:
    """When each song of this burst was done, in seconds since the epoch."""
    records = {sent.request.metadata[RECORD] for sent in traffic.sent[skip:] if sent.request}
    return [
        outcome.completed_at.timestamp()
        for outcome in traffic.platform.read_outcomes()
        if isinstance(outcome, SeparationResult) and outcome.metadata[RECORD] in records
    ]


def _separations(log: str) -> int:
    lines: list[Mapping[str, object]] = [json.loads(line) for line in log.splitlines()]
    return sum(line["event"] == "separation.separate" for line in lines)
