"""The watchdog, tick by tick, and as the end of a real process."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from consumer.app.watchdog import TICK_S, Watchdog
from consumer.core.limits import MAX_SILENCE_S

ROOT = Path(__file__).parents[3]
_HANGS = """
import threading
from consumer.delivery.assignments import Assignments
from consumer.delivery.dispatcher import Dispatcher
from consumer.delivery.poll_loop import PollLoop, PollPolicy, Subscription
from consumer.app.watchdog import Watchdog
from harness.fakes import FakeBroker, FakeSource

class Hanging(FakeSource):
    def subscribe(self, topics, listener):
        pass

    def poll(self, timeout_s):
        threading.Event().wait(600)

source = Hanging(FakeBroker())
assignments = Assignments()
nothing = Subscription(topics=[], retry_topics=[], max_retry_delay_s=0.0)
loop = PollLoop(source, assignments, Dispatcher(assignments, object), nothing, PollPolicy())
with Watchdog("poll loop", lambda: loop.last_poll, tick_s=0.01, limit_s=0.1):
    loop.run()
"""


class Watched:
    """A watchdog over a poll that happens when it is told to."""

    def __init__(self) -> None:
        self.polled = 0.0
        self.ended: list[str] = []
        self.watchdog = Watchdog("poll loop", lambda: self.polled, end=self.ended.append)

    def ticks(self, count: float) -> None:
        for _ in range(int(count)):
            self.watchdog.tick()


def test_a_loop_that_is_silent_too_long_is_ended() -> None:
    """So many ticks without a poll end the process; not one less."""
    watched = Watched()
    watched.ticks(MAX_SILENCE_S / TICK_S)
    assert watched.ended == []
    watched.ticks(1)
    assert watched.ended == [f"the poll loop has been silent for {MAX_SILENCE_S:g} s"]


def test_every_poll_gives_new_patience() -> None:
    """A loop that polls now and then, however slowly, lives."""
    watched = Watched()
    for number in range(10):
        watched.polled = number
        watched.ticks(MAX_SILENCE_S / TICK_S)
    assert watched.ended == []


def test_a_stopped_process_has_not_hung() -> None:
    """Time in which the watchdog was not running either does not count, however late the clock says it is."""
    watched = Watched()
    watched.ticks(MAX_SILENCE_S / TICK_S - 1)
    watched.polled = 1e9  # the first poll after an hour's stop
    watched.ticks(MAX_SILENCE_S / TICK_S)
    assert watched.ended == []


@pytest.mark.parametrize("is_left", [True, False])
def test_it_watches_as_long_as_it_is_asked_to(is_left: bool) -> None:
    """Inside its context it ticks by itself; behind it, it is silent for ever."""
    ended = threading.Event()
    watchdog = Watchdog("poll loop", lambda: 0.0, tick_s=0.001, limit_s=0.002, end=lambda reason: ended.set())
    if is_left:
        watchdog._left.set()
        watchdog._watch()
        assert not ended.is_set()
        return
    with watchdog:
        assert ended.wait(60)


def test_a_process_whose_poll_hangs_ends_with_one_line() -> None:
    """The process is gone with exit code 1, whatever the poll is waiting for, and says why in one line."""
    ran = subprocess.run(
        [sys.executable, "-c", _HANGS], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    [line] = ran.stderr.splitlines()
    assert line.startswith("spleeter-consumer: the poll loop has been silent for ")
