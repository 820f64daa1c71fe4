"""A whole replica over fakes, ended in each of the ways in which one can end."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.app import replica as module
from consumer.app.replica import Halt, Replica
from consumer.app.watchdog import Watchdog
from consumer.core.errors import (
    BrokerUnavailable,
    Fatal,
    ModelSourceUnavailable,
    ScannerMisconfigured,
    StoreMisconfigured,
    StoreUnavailable,
)
from consumer.pipeline import pipeline as pipeline_module
from consumer.pipeline.failure_policy import MAX_UNEXPECTED_IN_A_ROW
from consumer.pipeline.scratch import Scratch
from harness.replica import Harness


class Stage:
    """A replica of a harness's parts. `run` runs it in this thread, and `meanwhile` in another."""

    def __init__(self, harness: Harness, **fields: Any) -> None:
        self.harness, self.closed = harness, threading.Event()
        halt = Halt()
        harness.pipeline._halt = halt
        self.replica = Replica(**{
            "loop": harness.loop, "dispatcher": harness.dispatcher, "pipeline": harness.pipeline,
            "committer": harness.committer,
            "separators": [harness.separator], "weights": harness.weights, "models": ["2stems"],
            "scratch": Scratch(harness.scratch),
            "open_outbox": lambda: None, "needs": [lambda: None], "close": self.closed.set, "halt": halt,
            "control": harness.control, "watchdogs": [Watchdog("poll loop", lambda: harness.loop.last_poll)],
            "shutdown_grace_s": 20.0,
        } | fields)  # fmt: skip

    def run(self, meanwhile: Callable[[], Any] = lambda: None) -> list[dict[str, Any]]:
        thread = threading.Thread(target=meanwhile)
        with capture_logs() as logs:
            thread.start()
            try:
                self.replica.run()
            finally:
                thread.join(20)
        return logs

    def is_down(self) -> bool:
        return (
            self.closed.is_set()
            and self.harness.separator.killed
            and self.replica.state == "stopping"
            and not self.harness.scratch.exists()
            and not self.harness.source.positions
            and not any(thread.is_alive() for thread in self.harness.pipeline._threads)
        )


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """A harness; signals are put back in the end."""
    monkeypatch.setattr(pipeline_module, "_IDLE_S", 0.05)
    for name in ("_RETRY_MODELS_S", "_RETRY_NEEDS_S"):
        monkeypatch.setattr(module, name, 0.01)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    harness = Harness(tmp_path)
    yield harness
    harness.uploads.shutdown()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_signal_ends_it_in_good_order(harness: Harness) -> None:
    """Told to stop, a replica finishes and publishes what is at work, leaves the group, and leaves nothing behind."""
    at_work, go_on = threading.Event(), threading.Event()
    separate = harness.separator.separate

    def slow(*args: Any, **rest: Any) -> Any:
        at_work.set()
        assert go_on.wait(20)
        return separate(*args, **rest)

    harness.separator.separate = slow  # type: ignore[method-assign]
    harness.send()
    stage = Stage(harness)

    def meanwhile() -> None:
        assert at_work.wait(20)
        terminate()
        go_on.set()

    logs = stage.run(meanwhile)
    assert [message.topic for message in harness.broker.published] == ["results"]
    assert stage.is_down()
    assert [line["event"] for line in logs if line["event"].startswith("replica.")] == [
        "replica.started", "replica.stopped",
    ]  # fmt: skip


def test_a_second_signal_ends_its_patience(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told twice, a replica cancels what is at work: nothing of it is published, and others will do it."""
    monkeypatch.setattr(module, "_SAME_SIGNAL_S", 0.0)
    at_work, tick = threading.Event(), threading.Event()

    def endless(*_: Any, cancel: Any, **__: Any) -> Any:
        at_work.set()
        cancel.sleep(3600)

    harness.separator.separate = endless  # type: ignore[method-assign]
    harness.send()
    stage = Stage(harness, shutdown_grace_s=3600.0)

    def meanwhile() -> None:
        assert at_work.wait(20)
        terminate()
        while harness.loop._ends_at is None:  # the first one is being followed
            tick.wait(0.01)
        terminate()

    stage.run(meanwhile)
    assert harness.broker.published == []
    assert stage.is_down()


def test_one_signal_that_arrives_twice_is_one(harness: Harness) -> None:
    """A process group's signal and a parent's copy of it do not take the grace away."""
    replica = Stage(harness).replica
    replica.loop.stop(30.0)
    ends_at = replica.loop._ends_at
    for _ in range(2):
        replica._on_signal(signal.SIGTERM)
    assert replica.loop._ends_at == ends_at
    assert replica.state == "stopping"


def test_an_error_of_ours_ends_it_with_that_error(harness: Harness) -> None:
    """The unexpected-error limit takes the replica down, commits nothing further, and is what `run` raises."""
    harness.separator.script.extend([RuntimeError("bug")] * 100)
    for number in range(MAX_UNEXPECTED_IN_A_ROW + 5):
        harness.send(request_id=f"r{number}")
    stage = Stage(harness)
    with pytest.raises(Fatal, match="in a row"):
        stage.run()
    assert stage.is_down()
    assert len(harness.broker.published) <= MAX_UNEXPECTED_IN_A_ROW


def test_a_broken_publisher_ends_it(harness: Harness) -> None:
    """Without its committer a replica would work for nothing, so it stops."""

    def broken(_: Any) -> None:
        raise KeyError("bug")

    harness.committer._outbox.publish = broken  # type: ignore[method-assign]
    harness.send()
    stage = Stage(harness)
    with pytest.raises(Fatal, match="internal error: KeyError"):
        stage.run()
    assert stage.is_down()


@pytest.mark.parametrize("kind", [StoreMisconfigured, ScannerMisconfigured])
def test_what_can_never_work_as_it_is_set_up_ends_it_before_it_begins(harness: Harness, kind: type[Exception]) -> None:
    """Wrong credentials, a missing bucket or a scanner for small files are told of before a record is read."""

    def refuse() -> None:
        raise kind("OUTPUT_BUCKET: there is no bucket out")

    stage = Stage(harness, needs=[lambda: None, refuse])
    with pytest.raises(Fatal, match=r"^OUTPUT_BUCKET: there is no bucket out$"):
        stage.run()
    assert stage.is_down()


def test_scratch_space_that_can_not_be_had_is_named(harness: Harness, tmp_path: Path) -> None:
    """A SCRATCH_DIR that can't be written to ends the replica with a line that names it."""
    (tmp_path / "file").write_text("")
    stage = Stage(harness, scratch=Scratch(tmp_path / "file" / "scratch"))
    with pytest.raises(Fatal, match=r"^SCRATCH_DIR: can't be written to"):
        stage.run()


def test_another_replicas_scratch_space_is_left_alone(harness: Harness) -> None:
    """A second replica of the same name ends with a line that says so, and the first one's tracks stay."""
    first = Scratch(harness.scratch)
    first.claim()
    (harness.scratch / "job-1").mkdir()
    with pytest.raises(Fatal, match=r"^INSTANCE_ID: another replica runs on this machine"):
        Stage(harness).run()
    assert (harness.scratch / "job-1").is_dir()
    first.release()
    assert not harness.scratch.exists()
    Scratch(harness.scratch).claim()


def test_it_begins_with_clean_scratch_space(harness: Harness) -> None:
    """What an earlier incarnation left behind is removed before anything is fetched."""
    (harness.scratch / "job-old").mkdir()
    found: list[list[Path]] = []
    stage = Stage(harness, needs=[lambda: found.append(list(harness.scratch.iterdir()))])
    stage.replica.halt.cancellation.cancel("test")
    stage.run()
    assert found == [[]]


@pytest.mark.parametrize("missing", ["store", "model", "source", "Kafka"])
def test_it_waits_for_what_it_needs_and_can_be_told_not_to(harness: Harness, missing: str) -> None:
    """While the store is away or a model can't be had, /ready tells so, nothing is read, and a signal still ends it."""
    asked = threading.Event()

    def check_store() -> None:
        if missing == "store":
            asked.set()
            raise StoreUnavailable("object storage can't be reached")

    def open_outbox() -> None:
        if missing == "Kafka":
            raise BrokerUnavailable("no coordinator")

    class Away:
        name = "release"

        def fetch(self, file: str, path: Path) -> bool:
            raise ModelSourceUnavailable("can't be reached")

    if missing == "source":
        harness.weights._sources = [Away()]
    models = ["4stems"] if missing in ("model", "source") else ["2stems"]
    stage = Stage(harness, needs=[check_store], models=models, open_outbox=open_outbox)
    seen: list[str] = []

    def meanwhile() -> None:
        while stage.replica.state == "starting":
            asked.wait(0.01)
        seen.append(stage.replica.state)
        terminate()

    stage.run(meanwhile)
    told = {"store": "object storage", "Kafka": "Kafka: no coordinator"}.get(missing, "model 4stems")
    assert told in seen[0]
    assert harness.broker.transactions == []
    assert stage.is_down()


def test_what_was_waited_for_is_not_told_any_more(harness: Harness) -> None:
    """Once the store and Kafka answer, /ready does not go on to say that they are away."""
    away, seen = [StoreUnavailable("no store"), BrokerUnavailable("no coordinator")], []

    def ask() -> None:
        seen.append(stage.replica.state)
        if len(seen) % 2:
            raise away.pop(0)

    stage = Stage(harness, needs=[ask], open_outbox=ask)
    prepare = harness.separator.prepare
    harness.separator.prepare = lambda cancel: (prepare(cancel), terminate())  # type: ignore[method-assign]
    stage.run()
    assert seen == ["starting", "no store", "starting", "Kafka: no coordinator"]


def test_a_control_topic_that_can_not_be_read_stops_nobody(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where cancellations can't be learnt, work begins without them, and that is told of."""
    monkeypatch.setattr(module, "_CONTROL_S", 0.0)
    harness.feed.records.extend([BrokerUnavailable("away")] * 1000)
    harness.send()

    def meanwhile() -> None:
        harness.broker.wait_for(lambda: harness.broker.published)
        terminate()

    logs = Stage(harness).run(meanwhile)
    assert [message.topic for message in harness.broker.published] == ["results"]
    assert "control.not_caught_up" in [line["event"] for line in logs]


def test_it_can_be_stopped_while_it_learns_what_was_cancelled(harness: Harness) -> None:
    """A signal ends a replica that still waits for the control topic."""
    harness.feed.records.extend([BrokerUnavailable("away")] * 1000)
    stage = Stage(harness)
    stage.replica.halt.cancellation.cancel("test")
    stage.run()
    assert harness.broker.transactions == []
    assert stage.is_down()


def test_an_outbox_that_refuses_us_ends_it(harness: Harness) -> None:
    """What goes wrong while it starts takes down what was started so far."""

    def refuse() -> None:
        raise Fatal("Kafka refuses access")

    stage = Stage(harness, open_outbox=refuse)
    with pytest.raises(Fatal, match="refuses access"):
        stage.run()
    assert stage.is_down()


def test_the_first_error_stays() -> None:
    """Of several threads' errors the first is the one that is told."""
    halt = Halt()
    for number in range(3):
        halt(Fatal(str(number)))
    assert str(halt.error) == "0"


def test_it_tells_that_it_has_begun(harness: Harness) -> None:
    """`has_begun`, which /started shows, comes with the first poll and outlives the end."""
    seen: list[bool] = []
    stage = Stage(harness, needs=[lambda: seen.append(stage.replica.has_begun)])

    def meanwhile() -> None:
        while not stage.replica.has_begun:
            pass
        terminate()

    stage.run(meanwhile)
    assert seen == [False]
    assert stage.replica.has_begun
