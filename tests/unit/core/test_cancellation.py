"""How a job hears that it is no longer wanted, and how its time is counted."""

import threading
from functools import partial
from itertools import count
from typing import Any

import pytest

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, Code, Rejected


class Clock:
    """Stands still until it is set."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def caught(cancellation: Cancellation) -> Cancelled:
    with pytest.raises(Cancelled) as info:
        cancellation.check()
    return info.value


def test_the_first_reason_wins() -> None:
    """A job that is cancelled twice ends as the first one said."""
    cancellation = Cancellation()
    cancellation.check()
    first = Rejected(Code.CANCELLED, "by its user")
    cancellation.cancel("user", first)
    cancellation.cancel("partition revoked")
    assert (caught(cancellation).reason, caught(cancellation).rejection) == ("user", first)


def test_listeners_are_called_once() -> None:
    """Each listener hears of it once; one that comes too late hears of it at once."""
    cancellation, heard = Cancellation(), []
    cancellation.listen(lambda: heard.append("early"))
    assert heard == []
    cancellation.cancel("test")
    cancellation.cancel("again")
    cancellation.listen(lambda: heard.append("late"))
    assert heard == ["early", "late"]


def test_a_listener_may_cancel_and_listen() -> None:
    """A listener that itself cancels or listens does not lock up the job."""
    cancellation, heard = Cancellation(), []

    def go_on() -> None:
        cancellation.cancel("again")
        cancellation.listen(lambda: heard.append(1))

    cancellation.listen(go_on)
    cancellation.cancel("test")
    assert heard == [1]


def test_a_listener_can_be_taken_off() -> None:
    """What was closed, or whose block was left, hears nothing and is held no longer; the others still hear of it."""
    cancellation, heard = Cancellation(), []
    closed = cancellation.listen(lambda: heard.append("closed"))
    cancellation.listen(lambda: heard.append("stays"))
    with cancellation.listen(lambda: heard.append("left")):
        pass
    with pytest.raises(ZeroDivisionError), cancellation.listen(lambda: heard.append("left by an error")):
        raise ZeroDivisionError
    closed.close()
    closed.close()
    assert len(cancellation._listeners) == 1
    cancellation.cancel("test")
    assert heard == ["stays"]
    assert not cancellation._listeners


def test_a_listener_hears_within_its_block() -> None:
    """Inside the block it is told, once, and leaving the block afterwards changes nothing."""
    cancellation, heard = Cancellation(), []
    with cancellation.listen(lambda: heard.append("inside")):
        cancellation.cancel("test")
        assert heard == ["inside"]
    with cancellation.listen(lambda: heard.append("too late")):
        assert heard == ["inside", "too late"]


def test_a_cancellation_while_a_listener_is_added_is_not_missed() -> None:
    """As by a signal's handler, which interrupts the very thread that listens."""
    cancellation, heard = Cancellation(), []

    class Interrupted(dict[Any, Any]):
        def __setitem__(self, key: object, value: object) -> None:
            cancellation.cancel("signal")
            super().__setitem__(key, value)

    cancellation._listeners = Interrupted()
    cancellation.listen(lambda: heard.append("told"))
    assert heard == ["told"]


def test_sleep_ends_at_once() -> None:
    """Whoever sleeps is woken by the cancellation, however long was left to sleep."""
    cancellation, woken, asleep = Cancellation(), threading.Event(), threading.Event()

    def sleep() -> None:
        asleep.set()
        with pytest.raises(Cancelled):
            cancellation.sleep(3600)
        woken.set()

    thread = threading.Thread(target=sleep)
    thread.start()
    assert asleep.wait(60)
    cancellation.cancel("test")
    assert woken.wait(60)
    thread.join(60)
    with pytest.raises(Cancelled):
        cancellation.sleep(3600)


def test_time_runs_out(clock: Clock) -> None:
    """A job that has used up its time ends as DEADLINE_EXCEEDED; without a clock it has all the time there is."""
    cancellation = Cancellation(clock=clock)
    assert cancellation.remaining_s() is None
    cancellation.start_clock(60.0)
    clock.now_s += 60.0
    cancellation.check()
    assert cancellation.remaining_s() == 0.0
    clock.now_s += 0.1
    rejection = caught(cancellation).rejection
    assert rejection
    assert rejection.code == Code.DEADLINE_EXCEEDED
    assert "MAX_JOB_S = 60" in rejection.message
    assert cancellation.remaining_s() == 0.0


def test_waiting_for_others_is_given_back(clock: Clock) -> None:
    """Time spent waiting for someone else is not the job's."""
    cancellation = Cancellation(clock=clock)
    cancellation.extend(5.0)
    assert cancellation.remaining_s() is None
    cancellation.start_clock(10.0)
    for _ in zip(range(20), count()):
        clock.now_s += 1.0
        cancellation.extend(1.0)
        cancellation.check()
    assert cancellation.remaining_s() == 10.0


def test_a_clock_that_is_stopped_goes_on_where_it_was(clock: Clock) -> None:
    """What passes while the clock is stopped is not the job's time, and a second start gives it no more of it."""
    cancellation = Cancellation(clock=clock)
    cancellation.stop_clock()
    cancellation.start_clock(10.0)
    clock.now_s += 4.0
    cancellation.stop_clock()
    clock.now_s += 100.0
    cancellation.check()
    assert (cancellation.remaining_s(), cancellation.overdue_s()) == (None, 0.0)
    cancellation.start_clock(10.0)
    assert cancellation.remaining_s() == 6.0
    clock.now_s += 6.5
    assert caught(cancellation).rejection
    assert cancellation.overdue_s() == 0.5


def test_many_threads_may_cancel() -> None:
    """Of many cancellations at once one wins, and each listener is called once."""
    cancellation, barrier = Cancellation(), threading.Barrier(8, timeout=60)
    heard: list[int] = []
    for number in range(8):
        cancellation.listen(partial(heard.append, number))

    def cancel(number: int) -> None:
        barrier.wait(30)
        cancellation.cancel(str(number))

    threads = [threading.Thread(target=cancel, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(heard) == list(range(8))
    assert caught(cancellation).reason in map(str, range(8))


def test_a_job_that_outlives_its_time_is_overdue(clock: Clock) -> None:
    """Without a clock nothing is overdue; with one, whatever goes on past its end is, by as much."""
    cancellation = Cancellation(clock=clock)
    assert cancellation.overdue_s() == 0.0
    cancellation.start_clock(10.0)
    clock.now_s += 10.0
    assert cancellation.overdue_s() == 0.0
    clock.now_s += 5.0
    assert cancellation.overdue_s() == 5.0
