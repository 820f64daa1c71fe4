"""Two gateways on real Kafka and MinIO, killed and started again under load, by a schedule from a seed."""

import os
import random
from collections.abc import Callable, Mapping

import pytest

from consumer.core.events import SeparationProgress, SeparationRequest, SeparationResult
from harness.chaos.door_oracle import Facts, judge_answers, judge_job_stream, judge_stream
from harness.chaos.doors import Caller, Doors, Follower, draw, wait_listening
from harness.chaos.oracle import RECORD, Objects, foretold, undecided, whole_manifests
from harness.chaos.traffic import Traffic
from harness.platform import Platform
from harness.waiting import wait_for
from tests.chaos.conftest import NewPlatform
from tests.conftest import Kafka, MinioServer

FIRST_SEED = int(os.environ.get("CHAOS_SEED", "1"))
SEEDS = 1 if "CHAOS_SEED" in os.environ else int(os.environ.get("CHAOS_SEEDS", "5"))
NewTraffic = Callable[[int], Traffic]


@pytest.fixture
def new_traffic(new_platform: NewPlatform, kafka: Kafka, minio: MinioServer) -> NewTraffic:
    """Sources, and a platform whose replica separates in milliseconds."""

    def make(seed: int) -> Traffic:
        platform = new_platform(kafka.bootstrap_servers, minio.endpoint)
        traffic = Traffic(platform, random.Random(seed))
        traffic.add_sources(10)
        return traffic

    return make


def facts_of(platform: Platform) -> Facts:
    """What lies in Kafka."""
    codec = platform.codec
    return Facts(
        requests={
            f"{record.topic()}:{record.partition()}:{record.offset()}": codec.decode(SeparationRequest, record.value())
            for record in platform.requests()
        },
        outcomes=platform.read_outcomes(),
        progress=[
            codec.decode(SeparationProgress, record.value())
            for record in platform.read_topic(platform.topic("PROGRESS"))
        ],
    )


def storm(traffic: Traffic, seed: int, *, callers: int, requests: int, kills: int, length_s: float) -> None:
    """All of it, and what an oracle says of it."""
    platform, schedule = traffic.platform, draw(seed, kills=kills, length_s=length_s)
    print(f"CHAOS_SEED={seed}", *schedule, sep="\n")  # noqa: T201 - pytest shows it where the test fails
    try:
        platform.start_replica()
        doors = Doors(platform)
        followers = [Follower(doors, f"follower-{seed}-{number}") for number in range(3)]
        for follower in followers:
            follower.start()
        wait_listening(followers)
        asking = [
            Caller(
                doors, f"caller-{seed}-{number}", bucket=platform.source_bucket, songs=sorted(traffic.sources),
                count=requests, every_s=length_s / requests,
            )
            for number in range(callers)
        ]  # fmt: skip
        for caller in asking:
            caller.start()
        wait_for(lambda: sum(bool(caller.answers) for caller in asking) == callers)
        singles = [
            Follower(doors, f"single-{seed}-{n}", request_id=c.answers[0].request_id) for n, c in enumerate(asking)
        ]
        for single in singles:
            single.start()
        doors.follow(schedule)
        for caller in asking:
            caller.end()
        wait_for(lambda: platform.lag() == 0)
        last = Caller(doors, f"last-{seed}", bucket=platform.source_bucket, songs=sorted(traffic.sources), count=1)
        last.start()
        last.end()
        for follower in followers:
            follower.end_with(last.answers[0].request_id)
        for client in (*followers, *singles):
            client.end()
        wait_for(lambda: platform.lag() == 0 and not undecided(platform))
    finally:
        platform.close()
    facts, answers = facts_of(platform), [answer for caller in (*asking, last) for answer in caller.answers]
    assert judge_answers(answers, facts) == []
    assert sum(caller.tries for caller in asking) > len(answers)  # some were cut, and sent again
    for follower in followers:
        assert judge_stream(follower.told, facts) == []
        assert follower.cuts >= len(schedule)
    for single in singles:
        assert judge_job_stream(single.told) == []
    files = {name: file for caller in (*asking, last) for name, file in caller.files.items()}
    check_stems(platform, facts, traffic.sources, files)


def check_stems(platform: Platform, facts: Facts, sources: Mapping[str, bytes], files: Mapping[str, bytes]) -> None:
    """Each result's stems are those of what was sent under its name, also of a file that came in several tries."""
    objects, wrong = Objects(platform), []
    for outcome in facts.outcomes:
        assert isinstance(outcome, SeparationResult), outcome
        source = files.get(outcome.metadata[RECORD]) or sources[outcome.source.key]
        if not foretold(source, {stem.name: objects[stem.key] or b"" for stem in outcome.stems}):
            wrong.append(outcome.request_id)
    assert wrong == []
    assert whole_manifests(objects) == []
    assert files


def test_gateways_are_killed_under_load(new_traffic: NewTraffic) -> None:
    """Every request that was taken has one outcome, and every stream told every event once."""
    storm(new_traffic(FIRST_SEED), FIRST_SEED, callers=3, requests=30, kills=3, length_s=8.0)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_gateways_are_killed_for_long(new_traffic: NewTraffic, seed: int) -> None:
    """The same with more of everything, seed after seed."""
    storm(new_traffic(seed), seed, callers=6, requests=300, kills=14, length_s=90.0)
