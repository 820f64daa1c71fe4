"""Stops that reach every process of a replica, as systemd and others send them: a sound song is done all the same."""

import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, TopicPartition

from consumer.core.events import SeparationResult
from harness.clips import write_clip
from harness.holding import hold_ffmpegs
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for

RESTARTS = 3  # as many starts as a record that kills its separators gets
_NAMES = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT, "SIGHUP": signal.SIGHUP}


@pytest.fixture(scope="module")
def long_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("song") / "long.flac", seconds=300.0, seed=3)


def processes(replica: ReplicaProcess) -> list[psutil.Process]:
    """The replica's own and all below it: separator, its reaper and ffmpegs."""
    own = psutil.Process(replica.process.pid)
    return [*own.children(recursive=True), own]


def is_separating(replica: ReplicaProcess) -> bool:
    """A decoder and two encoders are at work beside the separator and its reaper."""
    return len(processes(replica)) >= 1 + 2 + 3


def starts_of(platform: Platform) -> Iterator[object]:
    """What is noted of deaths beside the offsets that the group has committed of its requests."""
    group = {"bootstrap.servers": platform.bootstrap_servers, "group.id": platform.environment["KAFKA_GROUP_ID"]}
    with closing(Consumer(group)) as reader:
        topic = platform.topic("REQUESTS")
        for place in reader.committed([TopicPartition(topic, number) for number in range(6)], timeout=30):
            noted = json.loads(place.metadata or "{}")
            if deaths := {name: noted[name] for name in noted.keys() & {"starts", "reading"}}:
                yield deaths


def signal_each(found: list[psutil.Process], number: signal.Signals) -> None:
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def restarted(platform: Platform, song: Path, stop: Callable[[ReplicaProcess], None], **environment: str) -> None:
    """Three replicas are stopped in the middle of it, one after the other, and a fourth one does it."""
    request = platform.request(platform.upload(song), output_format="flac")  # which takes encoders
    for _ in range(RESTARTS):
        replica = platform.start_replica(**environment)
        wait_for(lambda replica=replica: is_separating(replica))
        stop(replica)
        assert replica.process.wait(60) is not None
    platform.start_replica()
    [outcome] = platform.outcomes(1)
    assert isinstance(outcome, SeparationResult), outcome
    assert (outcome.request_id, [stem.duration_s for stem in outcome.stems]) == (request.request_id, [300.0, 300.0])


@pytest.mark.parametrize(
    ("name", "order"), [("SIGTERM", "children first"), ("SIGINT", "any"), ("SIGHUP", "parent first")]
)
def test_a_stop_of_every_process_is_no_crash(platform: Platform, long_song: Path, name: str, order: str) -> None:
    """Separator and ffmpegs leave it to the replica, which ends in good order; nobody died over the song."""
    chance = random.Random(1)

    def stop(replica: ReplicaProcess) -> None:
        found = processes(replica)
        if order == "any":
            chance.shuffle(found)
        signal_each(found[::-1] if order == "parent first" else found, _NAMES[name])
        assert replica.process.wait(60) == 0
        assert not replica.said("separator.crashed")
        assert list(starts_of(platform)) == []

    restarted(platform, long_song, stop, SHUTDOWN_GRACE_S="0")


def test_a_stop_of_the_process_group_and_of_a_closed_terminal(platform: Platform, long_song: Path) -> None:
    """By the group's number, as a shell does; a hangup follows, as some service managers send it."""

    def stop(replica: ReplicaProcess) -> None:
        for number in _NAMES.values():
            with suppress(ProcessLookupError):
                os.killpg(replica.process.pid, number)
        assert replica.process.wait(60) == 0
        assert not replica.said("separator.crashed")

    restarted(platform, long_song, stop, SHUTDOWN_GRACE_S="0")


def test_a_kill_of_all_that_has_not_ended_in_time_is_no_crash(platform: Platform, long_song: Path) -> None:
    """The service manager's patience ends before the grace: by then the start is taken back where that is durable."""

    def stop(replica: ReplicaProcess) -> None:
        hold_ffmpegs(replica)
        assert list(starts_of(platform)) != [], "it is counted while nobody stops anything"
        signal_each(processes(replica), signal.SIGTERM)
        wait_for(lambda: list(starts_of(platform)) == [])
        assert is_separating(replica), "it was to be killed at work"
        signal_each(processes(replica), signal.SIGKILL)
        assert replica.process.wait(60) == -signal.SIGKILL

    restarted(platform, long_song, stop, SHUTDOWN_GRACE_S="1h")


def test_a_kill_of_the_separator_alone_while_it_stops_is_no_crash(platform: Platform, long_song: Path) -> None:
    """Its death is known for what it is: nothing is charged, and the replica does not begin the song again."""

    def stop(replica: ReplicaProcess) -> None:
        hold_ffmpegs(replica)
        replica.process.send_signal(signal.SIGTERM)
        wait_for(lambda: list(starts_of(platform)) == [])
        signal_each(processes(replica)[:-1], signal.SIGKILL)
        assert replica.process.wait(60) == 0
        assert list(starts_of(platform)) == []

    restarted(platform, long_song, stop, SHUTDOWN_GRACE_S="1h")
