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
from harness.replica import Bench


class Stage:
    """A replica of a bench's parts. `run` runs it in this thread, and `meanwhile` in another."""

    def __init__(self, bench: Bench, **fields: Any) -> None:
        self.bench, self.closed = bench, threading.Event()
        halt = Halt()
        bench.pipeline._halt = halt
        self.replica = Replica(**{
            "loop": bench.loop, "ledger": bench.ledger, "pipeline": bench.pipeline, "publisher": bench.publisher,
            "separators": [bench.separator], "weights": bench.weights, "models": ["2stems"],
            "scratch": Scratch(bench.scratch),
            "open_outbox": lambda: None, "needs": [lambda: None], "close": self.closed.set, "halt": halt,
            "control": bench.control, "watchdogs": [Watchdog("poll loop", lambda: bench.loop.last_poll)],
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
            and self.bench.separator.killed
            and self.replica.state == "stopping"
            and not self.bench.scratch.exists()
            and not self.bench.source.positions
            and not any(thread.is_alive() for thread in self.bench.pipeline._threads)
        )


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A bench; signals are put back in the end."""
    monkeypatch.setattr(pipeline_module, "_IDLE_S", 0.05)
    for name in ("_RETRY_MODELS_S", "_RETRY_NEEDS_S"):
        monkeypatch.setattr(module, name, 0.01)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    bench = Bench(tmp_path)
    yield bench
    bench.uploads.shutdown()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_signal_ends_it_in_good_order(bench: Bench) -> None:
    """Told to stop, a replica finishes and publishes what is at work, leaves the group, and leaves nothing behind."""
    at_work, go_on = threading.Event(), threading.Event()
    separate = bench.separator.separate

    def slow(*args: Any, **rest: Any) -> Any:
        at_work.set()
        assert go_on.wait(20)
        return separate(*args, **rest)

    bench.separator.separate = slow  # type: ignore[method-assign]
    bench.send()
    stage = Stage(bench)

    def meanwhile() -> None:
        assert at_work.wait(20)
        terminate()
        go_on.set()

    logs = stage.run(meanwhile)
    assert [message.topic for message in bench.broker.published] == ["results"]
    assert stage.is_down()
    assert [line["event"] for line in logs if line["event"].startswith("replica.")] == [
        "replica.started", "replica.stopped",
    ]  # fmt: skip


def test_a_second_signal_ends_its_patience(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told twice, a replica cancels what is at work: nothing of it is published, and others will do it."""
    monkeypatch.setattr(module, "_SAME_SIGNAL_S", 0.0)
    at_work, tick = threading.Event(), threading.Event()

    def endless(*_: Any, cancel: Any, **__: Any) -> Any:
        at_work.set()
        cancel.sleep(3600)

    bench.separator.separate = endless  # type: ignore[method-assign]
    bench.send()
    stage = Stage(bench, shutdown_grace_s=3600.0)

    def meanwhile() -> None:
        assert at_work.wait(20)
        terminate()
        while bench.loop._ends_at is None:  # the first one is being followed
            tick.wait(0.01)
        terminate()

    stage.run(meanwhile)
    assert bench.broker.published == []
    assert stage.is_down()


def test_one_signal_that_arrives_twice_is_one(bench: Bench) -> None:
    """A process group's signal and a parent's copy of it do not take the grace away."""
    replica = Stage(bench).replica
    replica.loop.stop(30.0)
    ends_at = replica.loop._ends_at
    for _ in range(2):
        replica._on_signal(signal.SIGTERM)
    assert replica.loop._ends_at == ends_at
    assert replica.state == "stopping"


def test_an_error_of_ours_ends_it_with_that_error(bench: Bench) -> None:
    """The unexpected-error limit takes the replica down, commits nothing further, and is what `run` raises."""
    bench.separator.script.extend([RuntimeError("bug")] * 100)
    for number in range(MAX_UNEXPECTED_IN_A_ROW + 5):
        bench.send(request_id=f"r{number}")
    stage = Stage(bench)
    with pytest.raises(Fatal, match="in a row"):
        stage.run()
    assert stage.is_down()
    assert len(bench.broker.published) <= MAX_UNEXPECTED_IN_A_ROW


def test_a_broken_publisher_ends_it(bench: Bench) -> None:
    """Without its publisher a replica would work for nothing, so it stops."""

    def broken(_: Any) -> None:
        raise KeyError("bug")

    bench.publisher._outbox.publish = broken  # type: ignore[method-assign]
    bench.send()
    stage = Stage(bench)
    with pytest.raises(Fatal, match="internal error: KeyError"):
        stage.run()
    assert stage.is_down()


@pytest.mark.parametrize("kind", [StoreMisconfigured, ScannerMisconfigured])
def test_what_can_never_work_as_it_is_set_up_ends_it_before_it_begins(bench: Bench, kind: type[Exception]) -> None:
    """Wrong credentials, a missing bucket or a scanner for small files are told of before a record is read."""

    def refuse() -> None:
        raise kind("OUTPUT_BUCKET: there is no bucket out")

    stage = Stage(bench, needs=[lambda: None, refuse])
    with pytest.raises(Fatal, match=r"^OUTPUT_BUCKET: there is no bucket out$"):
        stage.run()
    assert stage.is_down()


def test_scratch_space_that_can_not_be_had_is_named(bench: Bench, tmp_path: Path) -> None:
    """A SCRATCH_DIR that can't be written to ends the replica with a line that names it."""
    (tmp_path / "file").write_text("")
    stage = Stage(bench, scratch=Scratch(tmp_path / "file" / "scratch"))
    with pytest.raises(Fatal, match=r"^SCRATCH_DIR: can't be written to"):
        stage.run()


def test_another_replicas_scratch_space_is_left_alone(bench: Bench) -> None:
    """A second replica of the same name ends with a line that says so, and the first one's tracks stay."""
    first = Scratch(bench.scratch)
    first.claim()
    (bench.scratch / "job-1").mkdir()
    with pytest.raises(Fatal, match=r"^INSTANCE_ID: another replica runs on this machine"):
        Stage(bench).run()
    assert (bench.scratch / "job-1").is_dir()
    first.release()
    assert not bench.scratch.exists()
    Scratch(bench.scratch).claim()


def test_it_begins_with_clean_scratch_space(bench: Bench) -> None:
    """What an earlier incarnation left behind is removed before anything is fetched."""
    (bench.scratch / "job-old").mkdir()
    found: list[list[Path]] = []
    stage = Stage(bench, needs=[lambda: found.append(list(bench.scratch.iterdir()))])
    stage.replica.halt.cancellation.cancel("test")
    stage.run()
    assert found == [[]]


@pytest.mark.parametrize("missing", ["store", "model", "source", "Kafka"])
def test_it_waits_for_what_it_needs_and_can_be_told_not_to(bench: Bench, missing: str) -> None:
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
        bench.weights._sources = [Away()]
    models = ["4stems"] if missing in ("model", "source") else ["2stems"]
    stage = Stage(bench, needs=[check_store], models=models, open_outbox=open_outbox)
    seen: list[str] = []

    def meanwhile() -> None:
        while stage.replica.state == "starting":
            asked.wait(0.01)
        seen.append(stage.replica.state)
        terminate()

    stage.run(meanwhile)
    told = {"store": "object storage", "Kafka": "Kafka: no coordinator"}.get(missing, "model 4stems")
    assert told in seen[0]
    assert bench.broker.transactions == []
    assert stage.is_down()


def test_what_was_waited_for_is_not_told_any_more(bench: Bench) -> None:
    """Once the store and Kafka answer, /ready does not go on to say that they are away."""
    away, seen = [StoreUnavailable("no store"), BrokerUnavailable("no coordinator")], []

    def ask() -> None:
        seen.append(stage.replica.state)
        if len(seen) % 2:
            raise away.pop(0)

    stage = Stage(bench, needs=[ask], open_outbox=ask)
    prepare = bench.separator.prepare
    bench.separator.prepare = lambda cancel: (prepare(cancel), terminate())  # type: ignore[method-assign]
    stage.run()
    assert seen == ["starting", "no store", "starting", "Kafka: no coordinator"]


def test_a_control_topic_that_can_not_be_read_stops_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where cancellations can't be learnt, work begins without them, and that is told of."""
    monkeypatch.setattr(module, "_CONTROL_S", 0.0)
    bench.feed.records.extend([BrokerUnavailable("away")] * 1000)
    bench.send()

    def meanwhile() -> None:
        bench.broker.wait_for(lambda: bench.broker.published)
        terminate()

    logs = Stage(bench).run(meanwhile)
    assert [message.topic for message in bench.broker.published] == ["results"]
    assert "control.not_caught_up" in [line["event"] for line in logs]


def test_it_can_be_stopped_while_it_learns_what_was_cancelled(bench: Bench) -> None:
    """A signal ends a replica that still waits for the control topic."""
    bench.feed.records.extend([BrokerUnavailable("away")] * 1000)
    stage = Stage(bench)
    stage.replica.halt.cancellation.cancel("test")
    stage.run()
    assert bench.broker.transactions == []
    assert stage.is_down()


def test_an_outbox_that_refuses_us_ends_it(bench: Bench) -> None:
    """What goes wrong while it starts takes down what was started so far."""

    def refuse() -> None:
        raise Fatal("Kafka refuses access")

    stage = Stage(bench, open_outbox=refuse)
    with pytest.raises(Fatal, match="refuses access"):
        stage.run()
    assert stage.is_down()


def test_the_first_error_stays() -> None:
    """Of several threads' errors the first is the one that is told."""
    halt = Halt()
    for number in range(3):
        halt(Fatal(str(number)))
    assert str(halt.error) == "0"


def test_it_tells_that_it_has_begun(bench: Bench) -> None:
    """`has_begun`, which /started shows, comes with the first poll and outlives the end."""
    seen: list[bool] = []
    stage = Stage(bench, needs=[lambda: seen.append(stage.replica.has_begun)])

    def meanwhile() -> None:
        while not stage.replica.has_begun:
            pass
        terminate()

    stage.run(meanwhile)
    assert seen == [False]
    assert stage.replica.has_begun
