"""A whole replica over fakes, ended in each of the ways in which one can end."""

import os
import signal
import threading
import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.app.signals import SAME_SIGNAL_S, stopped_by_signals
from consumer.app.status import Halt
from consumer.core.cancellation import Cancellation
from consumer.core.errors import (
    BrokerUnavailable,
    Fatal,
    ModelSourceUnavailable,
    ScannerMisconfigured,
    StoreMisconfigured,
    StoreUnavailable,
    WorkerCrashed,
)
from consumer.core.ports import Commit
from consumer.delivery.delivery import DeliveryPolicy
from consumer.delivery.poll_loop import PollPolicy
from consumer.pipeline.failure_policy import MAX_UNEXPECTED_IN_A_ROW
from consumer.pipeline.scratch import Scratch
from harness.replica import REQUESTS, Harness


class Run:
    """A replica as the product wires it, over fakes. `run` runs it in this thread, and `meanwhile` in another."""

    def __init__(
        self,
        harness: Harness,
        *,
        same_signal_s: float = SAME_SIGNAL_S,
        check: Callable[[], None] = lambda: None,
        open_outbox: Callable[[], None] = lambda: None,
    ) -> None:
        self.harness, self.closed, self.same_signal_s = harness, threading.Event(), same_signal_s
        harness.notices.close = self.closed.set  # type: ignore[method-assign]
        harness.store.check = lambda bucket: check()  # type: ignore[method-assign]
        harness.outbox.open = lambda timeout_s: open_outbox()  # type: ignore[method-assign]
        harness.wire()
        self.replica = harness.replica

    def run(self, meanwhile: Callable[[], Any] = lambda: None) -> list[MutableMapping[str, Any]]:
        thread = threading.Thread(target=meanwhile)
        with capture_logs() as logs:
            thread.start()
            try:
                with stopped_by_signals(self.replica, same_signal_s=self.same_signal_s):
                    self.replica.run()
            finally:
                thread.join(60)
        return logs

    def is_down(self) -> bool:
        return (
            self.closed.is_set()
            and self.harness.separator.killed
            and self.replica.status.reason == "stopping"
            and not self.harness.scratch.exists()
            and not self.harness.source.positions
            and not any(thread.is_alive() for thread in self.harness.pipeline._threads)
        )


def await_(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path)


def test_a_signal_ends_it_in_good_order(harness: Harness) -> None:
    """Told to stop, a replica finishes and publishes what is at work, leaves the group, and leaves nothing behind."""
    at_work, go_on = threading.Event(), threading.Event()
    separate = harness.separator.separate

    def slow(*args: Any, **rest: Any) -> Any:
        at_work.set()
        assert go_on.wait(60)
        return separate(*args, **rest)

    harness.separator.separate = slow  # type: ignore[method-assign]
    harness.send()
    run = Run(harness)

    def meanwhile() -> None:
        assert at_work.wait(60)
        terminate()
        go_on.set()

    logs = run.run(meanwhile)
    assert [message.topic for message in harness.broker.published] == ["results"]
    assert run.is_down()
    assert [line["event"] for line in logs if line["event"].startswith("replica.")] == [
        "replica.started", "replica.stopped",
    ]  # fmt: skip


def test_what_computes_is_told_once(harness: Harness) -> None:
    """A line of the log and the build's metric have the runtime's name, the line also why it was chosen."""
    run = Run(harness)

    def meanwhile() -> None:
        await_(lambda: run.replica.status.has_begun)
        terminate()

    told = [line for line in run.run(meanwhile) if line["event"] == "runtime.chosen"]
    assert told == [
        {"event": "runtime.chosen", "log_level": "info", "runtime": "tensorflow", "reason": "the tests' own"}
    ]
    [build] = [family for family in harness.metrics.registry.collect() if family.name == "separation_build"]
    assert build.samples[0].labels["runtime"] == "tensorflow"


def test_what_dies_while_it_stops_is_left_to_others(harness: Harness) -> None:
    """A separator that is killed after the stop began charges nobody, and its record is not begun again here."""
    at_work, stopping = threading.Event(), threading.Event()
    starts: list[int] = []

    def killed(*_: Any, **__: Any) -> Any:
        starts.append(1)
        at_work.set()
        assert stopping.wait(60)
        raise WorkerCrashed("signal 9")

    harness.separator.separate = killed  # type: ignore[method-assign]
    harness.send()
    run = Run(harness)

    def meanwhile() -> None:
        assert at_work.wait(60)
        os.kill(os.getpid(), signal.SIGHUP)
        await_(lambda: harness.replica.parts.delivery.start_counter._is_stopping)
        stopping.set()

    run.run(meanwhile)
    assert harness.broker.published == []
    assert starts == [1]
    assert {position.offset_metadata for position in harness.broker.committed.values()} <= {"", '{"log": "1"}'}
    assert run.is_down()


def test_a_second_signal_ends_its_patience(harness: Harness) -> None:
    """Told twice, a replica cancels what is at work: nothing of it is published, and others will do it."""
    at_work = threading.Event()

    def endless(*_: Any, cancel: Any, **__: Any) -> Any:
        at_work.set()
        cancel.sleep(3600)

    harness.separator.separate = endless  # type: ignore[method-assign]
    harness.send()
    service = harness.settings.service.model_copy(update={"shutdown_grace_s": 3600.0})
    harness.settings = replace(harness.settings, service=service)
    run = Run(harness, same_signal_s=0.0)

    def meanwhile() -> None:
        assert at_work.wait(60)
        terminate()
        await_(lambda: harness.loop._ends_at is not None)  # the first one is being followed
        terminate()

    run.run(meanwhile)
    assert harness.broker.published == []
    assert run.is_down()


def test_one_signal_that_arrives_twice_is_one(harness: Harness) -> None:
    """A process group's signal and a parent's copy of it do not take the grace away."""
    replica = Run(harness).replica
    harness.loop.stop(30.0)
    ends_at = harness.loop._ends_at
    with stopped_by_signals(replica):
        for _ in range(2):
            terminate()
    assert harness.loop._ends_at == ends_at
    assert replica.status.reason == "stopping"


def test_an_error_of_ours_ends_it_with_that_error(harness: Harness) -> None:
    """The unexpected-error limit takes the replica down, commits nothing further, and is what `run` raises."""
    harness.separator.script.extend([RuntimeError("bug")] * 100)
    for number in range(MAX_UNEXPECTED_IN_A_ROW + 5):
        harness.send_another(f"r{number}")
    run = Run(harness)
    with pytest.raises(Fatal, match="in a row"):
        run.run()
    assert run.is_down()
    assert len(harness.broker.published) <= MAX_UNEXPECTED_IN_A_ROW


def test_a_broken_publisher_ends_it(harness: Harness) -> None:
    """Without its committer a replica would work for nothing, so it stops."""

    def broken(commits: Sequence[Commit]) -> None:
        raise KeyError("bug")

    harness.outbox.publish = broken  # type: ignore[method-assign]
    harness.send()
    run = Run(harness)
    with pytest.raises(Fatal, match="internal error: KeyError"):
        run.run()
    assert run.is_down()


def test_a_publisher_that_is_refused_for_good_ends_it_with_that_error(harness: Harness) -> None:
    """What the broker will never allow is told as it is."""
    harness.outbox.script.append(Fatal("Kafka refuses this transactional id"))
    harness.send()
    run = Run(harness)
    with pytest.raises(Fatal, match=r"^Kafka refuses this transactional id$"):
        run.run()
    assert run.is_down()


@pytest.mark.parametrize("kind", [StoreMisconfigured, ScannerMisconfigured])
def test_what_can_never_work_as_it_is_set_up_ends_it_before_it_begins(harness: Harness, kind: type[Exception]) -> None:
    """Wrong credentials, a missing bucket or a scanner for small files are told of before a record is read."""

    def refuse() -> None:
        raise kind("OUTPUT_BUCKET: there is no bucket out")

    run = Run(harness, check=refuse)
    with pytest.raises(Fatal, match=r"^OUTPUT_BUCKET: there is no bucket out$"):
        run.run()
    assert run.is_down()


def test_scratch_space_that_can_not_be_had_is_named(harness: Harness, tmp_path: Path) -> None:
    """A SCRATCH_DIR that can't be written to ends the replica with a line that names it."""
    (tmp_path / "file").write_text("")
    separator = harness.settings.separator.model_copy(update={"scratch_dir": tmp_path / "file"})
    harness.settings = replace(harness.settings, separator=separator)
    run = Run(harness)
    with pytest.raises(Fatal, match=r"^SCRATCH_DIR: can't be written to"):
        run.run()


def test_another_replicas_scratch_space_is_left_alone(harness: Harness) -> None:
    """A second replica of the same name ends with a line that says so, and the first one's tracks stay."""
    first = Scratch(harness.scratch)
    first.claim()
    (harness.scratch / "job-1").mkdir()
    with pytest.raises(Fatal, match=r"^INSTANCE_ID: another replica runs on this machine"):
        Run(harness).run()
    assert (harness.scratch / "job-1").is_dir()
    first.release()
    assert not harness.scratch.exists()
    Scratch(harness.scratch).claim()


def test_it_begins_with_clean_scratch_space(harness: Harness) -> None:
    """What an earlier incarnation left behind is removed before anything is fetched."""
    (harness.scratch / "job-old").mkdir()
    found: list[list[Path]] = []
    run = Run(harness, check=lambda: found.append(list(harness.scratch.iterdir())))
    run.replica.halt.cancellation.cancel("test")
    run.run()
    assert found == [[]]


@pytest.mark.parametrize("missing", ["store", "model", "source", "Kafka"])
def test_it_waits_for_what_it_needs_and_can_be_told_not_to(harness: Harness, missing: str) -> None:
    """While the store is away or a model can't be had, /ready tells so, nothing is read, and a signal still ends it."""

    def check_store() -> None:
        if missing == "store":
            raise StoreUnavailable("object storage can't be reached")

    def open_outbox() -> None:
        if missing == "Kafka":
            raise BrokerUnavailable("no coordinator")

    class Away:
        name = "release"

        def fetch(self, file: str, path: Path) -> bool:
            raise ModelSourceUnavailable("can't be reached")

    if missing == "source":
        harness.model_sources = [Away()]
    harness.models = ["4stems"] if missing in ("model", "source") else ["2stems"]
    run = Run(harness, check=check_store, open_outbox=open_outbox)
    seen: list[str] = []

    def meanwhile() -> None:
        await_(lambda: run.replica.status.reason != "starting")
        seen.append(run.replica.status.reason)
        terminate()

    run.run(meanwhile)
    told = {"store": "object storage", "Kafka": "Kafka: no coordinator"}.get(missing, "model 4stems")
    assert told in seen[0]
    assert harness.broker.transactions == []
    assert run.is_down()


def test_what_was_waited_for_is_not_told_any_more(harness: Harness) -> None:
    """Once the store and Kafka answer, /ready does not go on to say that they are away."""
    away, seen = [StoreUnavailable("no store"), BrokerUnavailable("no coordinator")], []

    def ask() -> None:
        seen.append(run.replica.status.reason)
        if len(seen) % 2:
            raise away.pop(0)

    run = Run(harness, check=ask, open_outbox=ask)
    prepare = harness.separator.prepare

    def prepare_and_end(cancel: Cancellation) -> None:
        prepare(cancel)
        terminate()

    harness.separator.prepare = prepare_and_end  # type: ignore[method-assign]
    run.run()
    assert seen == ["starting", "no store", "starting", "Kafka: no coordinator"]


def test_a_control_topic_that_can_not_be_read_stops_nobody(harness: Harness) -> None:
    """Where cancellations can't be learnt, work begins without them, and that is told of."""
    startup = replace(harness.policies.startup, control_s=0.0)
    harness.policies = replace(harness.policies, startup=startup)
    harness.feed.records.extend([BrokerUnavailable("away")] * 1000)
    harness.send()

    def meanwhile() -> None:
        harness.broker.wait_for(lambda: harness.broker.published)
        terminate()

    logs = Run(harness).run(meanwhile)
    assert [message.topic for message in harness.broker.published] == ["results"]
    assert "control.not_caught_up" in [line["event"] for line in logs]


def test_it_can_be_stopped_while_it_learns_what_was_cancelled(harness: Harness) -> None:
    """A signal ends a replica that still waits for the control topic."""
    harness.feed.records.extend([BrokerUnavailable("away")] * 1000)
    run = Run(harness)
    run.replica.halt.cancellation.cancel("test")
    run.run()
    assert harness.broker.transactions == []
    assert run.is_down()


def test_an_outbox_that_refuses_us_ends_it(harness: Harness) -> None:
    """What goes wrong while it starts takes down what was started so far."""

    def refuse() -> None:
        raise Fatal("Kafka refuses access")

    run = Run(harness, open_outbox=refuse)
    with pytest.raises(Fatal, match="refuses access"):
        run.run()
    assert run.is_down()


def test_the_first_error_stays() -> None:
    """Of several threads' errors the first is the one that is told."""
    halt = Halt()
    for number in range(3):
        halt(Fatal(str(number)))
    assert str(halt.error) == "0"


def test_it_tells_that_it_has_begun(harness: Harness) -> None:
    """`has_begun`, which /started shows, comes with the first poll, not before, and outlives the end."""
    seen: list[bool] = []
    polled: list[bool] = []
    run = Run(harness, check=lambda: seen.append(run.replica.status.has_begun))
    poll = harness.source.poll

    def first_poll(timeout_s: float) -> Any:
        polled.append(run.replica.status.has_begun)
        terminate()
        harness.source.poll = poll  # type: ignore[method-assign]
        return poll(timeout_s)

    harness.source.poll = first_poll  # type: ignore[method-assign]
    run.run()
    assert (seen, polled) == ([False], [True])
    assert run.replica.status.has_begun


def test_the_grace_of_a_partition_that_moves_is_waited_out(harness: Harness) -> None:
    """While a job is at work the partition's revocation waits for it, and its result is this replica's."""
    delivery = DeliveryPolicy(poll=PollPolicy(revoke_grace_s=20.0))
    harness.policies = replace(harness.policies, delivery=delivery)
    harness.wire()
    at_work, go_on = threading.Event(), threading.Event()
    separate, wait = harness.separator.separate, harness.assignments.wait

    def slow(*args: Any, **rest: Any) -> Any:
        at_work.set()
        assert go_on.wait(60)
        rest["cancel"].check()
        return separate(*args, **rest)

    def begins_to_wait(condition: Callable[[], object], timeout_s: float) -> None:
        if timeout_s == 20.0:
            go_on.set()  # not before the revocation has begun
        wait(condition, timeout_s)

    harness.separator.separate = slow  # type: ignore[method-assign]
    harness.assignments.wait = begins_to_wait  # type: ignore[method-assign]
    harness.send()
    with capture_logs():
        harness.start()
        try:
            assert at_work.wait(60)
            harness.source.revoke([REQUESTS])
            published = [message.topic for message in harness.broker.published]
        finally:
            go_on.set()
            harness.stop()
    assert published == ["results"]


def test_the_threads_that_everything_depends_on_are_watched(harness: Harness) -> None:
    """As long as a replica polls it has a watchdog for its loop and one for its publisher; afterwards it has none."""
    seen: list[int] = []
    poll = harness.source.poll

    def first_poll(timeout_s: float) -> Any:
        seen.append(watchdogs())
        terminate()
        harness.source.poll = poll  # type: ignore[method-assign]
        return poll(timeout_s)

    harness.source.poll = first_poll  # type: ignore[method-assign]
    before = watchdogs()
    Run(harness).run()
    assert seen == [before + 2]
    await_(lambda: watchdogs() == before)


def watchdogs() -> int:
    return [thread.name for thread in threading.enumerate()].count("watchdog")


def test_each_watchdog_looks_at_its_own_thread(harness: Harness) -> None:
    """A poll is the loop's sign of life and not the publisher's; a call of the outbox is the publisher's alone."""
    loop, publisher = harness.replica.parts.background.watchdogs
    signs = loop._sign_of_life(), publisher._sign_of_life()
    harness.source.subscribe([], harness.loop)
    harness.loop.step(0)
    assert loop._sign_of_life() != signs[0]
    assert publisher._sign_of_life() == signs[1]
    signs = loop._sign_of_life(), publisher._sign_of_life()
    harness.outbox.calls += 1
    assert loop._sign_of_life() == signs[0]
    assert publisher._sign_of_life() != signs[1]
