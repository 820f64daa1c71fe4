"""The lag's own process, as whoever asks it sees it: its reports, its deaths, its end."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from consumer.app.lag_child import LagChild
from consumer.app.lag_process import LagReport, LagTask
from consumer.core.errors import BrokerUnavailable
from consumer.core.lag import Backlog, Demand, PartitionLag
from consumer.core.model import TopicPartition
from consumer.settings import KafkaSettings, SchemaSettings, TopicSettings

TASK = LagTask(
    kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1"),
    topics=TopicSettings(),
    retry_topics=[],
    schema=SchemaSettings(),
)
# As the real one: a task on its input, a descriptor for its reports. Each start is told of in a file.
BEGINS = """
import os, pickle, signal, sys, time
task = pickle.load(sys.stdin.buffer)
print(os.getpid(), task.once, task.timeout_s, file=open({path!r}, "a"))
starts = len(open({path!r}).readlines())
reports = os.fdopen(int(sys.argv[1]), "w", buffering=1)
"""
DIES = "os.kill(os.getpid(), signal.SIGSEGV)\n"
WAITS = "sys.stdin.buffer.read()\n"


def a_backlog(messages: int) -> Backlog:
    lag = PartitionLag(
        partition=TopicPartition("t", 0), messages=messages, oldest_at_s=1.5, demand={"2stems": Demand(1500, 2)}
    )
    return Backlog(lags=[lag], taken_at=time.monotonic() + 3600)  # however long a process takes to start here


def reports(*found: LagReport) -> str:
    return "".join(f"reports.write({msgspec.json.encode(report).decode()!r} + '\\n')\n" for report in found)


class ByOffsets:
    """What is asked once records can't be read."""

    def __init__(self) -> None:
        self.away: BrokerUnavailable | None = None

    def read_offsets(self) -> Backlog:
        if self.away:
            raise self.away
        return a_backlog(77)


class Scene:
    def __init__(self, folder: Path) -> None:
        self.starts_path, self.by_offsets = folder / "starts", ByOffsets()
        self.made: list[LagChild] = []

    def child(self, script: str, *, rest_s: float = 60.0) -> LagChild:
        command = [sys.executable, "-c", BEGINS.format(path=str(self.starts_path)) + script]
        self.made.append(LagChild(TASK, self.by_offsets, command=command, rest_s=rest_s))  # type: ignore[arg-type]
        return self.made[-1]

    def starts(self) -> list[list[str]]:
        return [line.split() for line in self.starts_path.read_text().splitlines()] if self.starts_path.exists() else []


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    for child in scene.made:
        child.stop()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def messages(child: LagChild) -> int | None:
    found = child.backlog()
    return found.messages if found else None


def test_its_figures_are_those_of_its_process(scene: Scene) -> None:
    """Whole, with what they are made of; later ones take the place of earlier ones, and so does what is wrong."""
    backlog = a_backlog(5)
    child = scene.child(reports(LagReport(backlog=backlog)) + WAITS)
    child.start()
    wait_for(child.backlog)
    assert child.backlog() == backlog
    assert child.trouble == ""
    troubled = scene.child(reports(LagReport(backlog=backlog), LagReport(backlog=None, trouble="away")) + WAITS)
    troubled.start()
    wait_for(lambda: troubled.trouble)
    assert (troubled.trouble, troubled.backlog()) == ("away", None)


def test_figures_of_a_process_that_has_fallen_silent_are_none(scene: Scene) -> None:
    """None is better than a wrong one."""
    stale = replace(a_backlog(5), taken_at=time.monotonic() - 11.0)
    child = scene.child(reports(LagReport(backlog=stale), LagReport(backlog=stale, trouble="told")) + WAITS)
    child.start()
    wait_for(lambda: child.trouble)
    assert child.backlog() is None


def test_after_its_death_offsets_are_counted_and_it_is_tried_again(scene: Scene) -> None:
    """Whoever asks lives on; the death is told once for each, and what it read next is taken again."""
    script = (
        f"if starts < 3:\n    reports.write('{{\"backlog')\n    {DIES}"
        + reports(LagReport(backlog=a_backlog(5)))
        + WAITS
    )
    child = scene.child(script, rest_s=0.3)
    with capture_logs() as logs:
        child.start()
        wait_for(lambda: messages(child) == 77)
        wait_for(lambda: messages(child) == 5)
    assert len(scene.starts()) == 3
    died = [(line["code"], line["by_offsets_for_s"]) for line in logs if line["event"] == "lag.reader_died"]
    assert died == [(-11, 0.3), (-11, 0.6)], "each time it rests twice as long"


def test_brokers_that_are_away_while_offsets_are_counted_are_told_of(scene: Scene) -> None:
    """Then there are no figures."""
    scene.by_offsets.away = BrokerUnavailable("no broker answers")
    child = scene.child(DIES)
    with capture_logs():
        child.start()
        wait_for(lambda: child.trouble)
    assert (child.trouble, child.backlog()) == ("no broker answers", None)


def test_one_reading_ends_with_its_figures_or_why_there_are_none(scene: Scene) -> None:
    """It is asked for once, within the time that was given; a death is told of beside the figures by offsets."""
    backlog = a_backlog(5)
    assert scene.child(reports(LagReport(backlog=backlog)) + WAITS).read(timeout_s=7.5) == backlog
    assert scene.starts()[0][1:] == ["True", "7.5"]
    with pytest.raises(BrokerUnavailable, match="wrong password"):
        scene.child(reports(LagReport(backlog=None, trouble="wrong password"))).read()
    child = scene.child(DIES)
    assert child.read().messages == 77
    assert child.trouble == "the process that reads records died; counted by offsets"


def test_it_ends_when_it_is_stopped(scene: Scene) -> None:
    """Its process goes with it, and is not started again."""
    child = scene.child(reports(LagReport(backlog=a_backlog(5))) + WAITS, rest_s=0.01)
    child.start()
    wait_for(child.backlog)
    [[pid, *_]] = scene.starts()
    child.stop()
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
    wait_for(lambda: not any(thread.name == "lag" for thread in threading.enumerate()))
    assert len(scene.starts()) == 1
