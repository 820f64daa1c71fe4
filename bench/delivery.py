"""`python -m bench.delivery [NAME...]`: what the delivery promise costs, and how soon it is kept; a table in Markdown.

NAME: of a measurement, such as `sends`; without one, all of them.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import backlog, bare_clients, client_sends
from bench.arena import PARTITIONS, Arena, Reader, Sender, Trickle, reading, said_at
from consumer.core.events import SeparationRequest
from consumer.delivery.retry_headers import RetryState, headers
from devstack import system
from harness.fakes import a_record
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for

MESSAGES, WARM_UP = 300, 60
RETRY_S = 2.0
RETRY_EVERY_S = 0.1  # so seldom that none waits for the ones before it
AWAY_S = 20.0
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    what: str
    figure: str
    goal: str = ""

    def __str__(self) -> str:
        return f"| {self.what} | {self.figure} | {self.goal} |"


def main(names: Sequence[str] = ()) -> None:
    system.provide({"ffprobe": "ffmpeg"})  # the naive consumer's Separator needs it
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder))
        arena.start()
        try:
            print_table(arena, names)
        finally:
            arena.stop()


def print_table(arena: Arena, names: Sequence[str] = ()) -> None:
    measurements: dict[str, Callable[[Arena], Iterator[Row]]] = {
        "overhead": _overhead, "backlog": _backlog, "recovery": _recovery, "scale-out": _scale_out,
        "lateness": _lateness, "returns": _returns, "sends": _sends,
    }  # fmt: skip
    _say("| delivery, on one Kafka and one MinIO on this machine | measured | goal |")
    _say("|---|---:|---:|")
    for name in names or measurements:
        for row in measurements[name](arena):
            _say(str(row))


def _overhead(arena: Arena) -> Iterator[Row]:
    """One message at a time, from before it is sent until its outcome has been read."""
    with arena.platform() as platform, reading(platform) as reader:
        sender = Sender(platform)
        requests = sender.prepare(WARM_UP + MESSAGES)
        platform.start_replica().wait_ready()
        first_ms = _one_by_one(sender, reader, requests, 1)
        again_ms = _one_by_one(sender, reader, requests, 2)
    with arena.platform() as platform:
        servers_ms = bare_clients.one_by_one(platform, Sender(platform).prepare(WARM_UP + MESSAGES))[WARM_UP:]
    yield Row(
        what="request sent to result read, with a separator that takes no time, p50 / p99",
        figure=f"{_p50(first_ms):.0f} / {_p99(first_ms):.0f} ms",
        goal="10 / 50 ms",
    )
    yield Row(
        what="the reads, writes and transactions on that way, by bare clients in a row, p50 / p99",
        figure=f"{_p50(servers_ms):.0f} / {_p99(servers_ms):.0f} ms",
    )
    yield Row(
        what="the same request again, answered from its manifest, p50 / p99",
        figure=f"{_p50(again_ms):.0f} / {_p99(again_ms):.0f} ms",
        goal="200 ms",
    )


def _one_by_one(sender: Sender, reader: Reader, requests: Sequence[SeparationRequest], times: int) -> list[float]:
    """Milliseconds each; `times`: how many outcomes there are of each after this."""
    found = []
    for number, request in enumerate(requests):
        sender.send(request, number % PARTITIONS)
        reader.wait([request.request_id], times)
        found.append(1000 * (reader.arrived_at[request.request_id][times - 1] - sender.sent_at[request.request_id]))
    return found[WARM_UP:]


def _backlog(arena: Arena) -> Iterator[Row]:
    found = backlog.measure(arena, rounds=1)
    yield Row(
        what=f"songs of {backlog.SONG_S:.0f} s in a backlog, 2 stems: the bare engine", figure=f"{found.engine_s:.2f} s"
    )
    yield Row(
        what="one replica, as a share of the bare engine's throughput",
        figure=f"{100 * found.engine_s / found.replica_s:.0f} %",
        goal="90 %",
    )
    yield Row(
        what="a poll loop around a warm `Separator`, auto-commit, as a share of it",
        figure=f"{100 * found.engine_s / found.naive_s:.0f} %",
    )


def _recovery(arena: Arena) -> Iterator[Row]:
    """From SIGKILL of one of two replicas until the other begins a record of its partitions."""
    found_s = [_recovery_s(arena) for _ in range(ROUNDS)]
    yield Row(what="SIGKILL of a replica to its records being worked on", figure=_spread(found_s), goal="7 s")


def _recovery_s(arena: Arena) -> float:
    with arena.platform() as platform:
        sender = Sender(platform)
        requests = sender.prepare(400)
        pair = [platform.start_replica() for _ in range(2)]
        for replica in pair:
            replica.wait_ready()
        with Trickle(sender, requests, every_s=0.05):
            wait_for(lambda: all(replica.said("separation.published") for replica in pair))
            victim, survivor = pair
            owned = _partitions_worked_on(victim)
            killed_at = time.time()
            victim.process.kill()
            return _first_begun(survivor, owned, killed_at) - killed_at


def _first_begun(replica: ReplicaProcess, partitions: set[int], since: float) -> float:
    def begun() -> list[float]:
        times = (said_at(replica, "separation.decode", partition=partition) for partition in partitions)
        return [at for found in times for at in found if at > since]

    wait_for(begun)
    return min(begun())


def _partitions_worked_on(replica: ReplicaProcess) -> set[int]:
    return {int(str(line["partition"])) for line in replica.said("separation.published")}


def _scale_out(arena: Arena) -> Iterator[Row]:
    """From a further replica being able to work (its models loaded) until it begins its first record."""
    found_s = [_scale_out_s(arena) for _ in range(ROUNDS)]
    yield Row(what="a new replica, models loaded, to its first record", figure=_spread(found_s), goal="2 s")


def _scale_out_s(arena: Arena) -> float:
    with arena.platform() as platform:
        sender = Sender(platform)
        requests = sender.prepare(400)
        platform.start_replica().wait_ready()
        with Trickle(sender, requests, every_s=0.05):
            new = platform.start_replica()
            began_at = _first_begun(new, set(range(PARTITIONS)), 0.0)
            [able_at] = said_at(new, "replica.started")
            return began_at - able_at


def _lateness(arena: Arena) -> Iterator[Row]:
    """Records of a retry topic, each due RETRY_S after it was sent: by how much later they are begun."""
    with arena.platform(RETRY_DELAYS=f"{RETRY_S}s") as platform, reading(platform) as reader:
        sender, topic = Sender(platform), f"{platform.topic('REQUESTS')}.retry-1"
        replica = platform.start_replica()
        replica.wait_ready()
        requests, due_at = sender.prepare(MESSAGES), []
        for number, request in enumerate(requests):
            # As the product's clock has it, a millisecond is the least that a header tells.
            due = datetime.now(UTC) + timedelta(seconds=RETRY_S)
            record = a_record(topic=platform.topic("REQUESTS"), offset=number)
            retry_state = RetryState(topic=record.topic, partition=0, offset=number).failed("away", not_before=due)
            sender.send(request, number % PARTITIONS, topic, headers(record, retry_state))
            due_at.append(due.timestamp())
            time.sleep(RETRY_EVERY_S)
        reader.wait([request.request_id for request in requests])
        late_ms = [
            1000 * (min(said_at(replica, "separation.validate", request_id=request.request_id)) - due)
            for request, due in zip(requests, due_at, strict=True)
        ]
    assert min(late_ms) > -2, "begun before it was due"
    yield Row(
        what="a retry, begun later than it was due, p50 / p99",
        figure=f"{_p50(late_ms):.0f} / {_p99(late_ms):.0f} ms",
        goal="250 ms",
    )


def _returns(arena: Arena) -> Iterator[Row]:
    """From a server that was away answering again until the first outcome is read."""
    for name in ("Kafka", "MinIO"):
        with arena.platform() as platform, reading(platform) as reader:
            sender = Sender(platform)
            requests = sender.prepare(WARM_UP)
            platform.start_replica().wait_ready()
            for number, request in enumerate(requests[:-1]):
                sender.send(request, number % PARTITIONS)
            reader.wait([request.request_id for request in requests[:-1]])
            last = requests[-1]
            arena.take_away(name)
            if name == "MinIO":
                sender.send(last)
            time.sleep(AWAY_S)
            arena.bring_back(name)
            back_at = time.time()
            if name == "Kafka":
                sender.send(last)
            reader.wait([last.request_id])
            assert not reader.dead, reader.dead
            taken_s = reader.arrived_at[last.request_id][0] - back_at
        yield Row(what=f"{name} back after {AWAY_S:.0f} s to work going on", figure=f"{taken_s:.1f} s", goal="5 s")


def _sends(arena: Arena) -> Iterator[Row]:
    """From when a request was due until its job says that Kafka has it, whoever is late."""
    with arena.platform() as platform:
        bare, ours = (client_sends.measure(platform, contender) for contender in ("bare", "client"))
    rate = f"{client_sends.RATE:,} requests a second for {client_sends.SECONDS:.0f} s"
    yield Row(
        what=f"{rate} through one client, due to acknowledged, p50 / p99",
        figure=f"{_p50(ours.late_ms):.0f} / {_p99(ours.late_ms):.0f} ms",
        goal="50 ms",
    )
    yield Row(
        what="the same records by a bare producer, p50 / p99",
        figure=f"{_p50(bare.late_ms):.0f} / {_p99(bare.late_ms):.0f} ms",
    )
    yield Row(
        what="memory of that client's process, after 3 s and at most",
        figure=f"{ours.begun_mb:.0f} / {ours.peak_mb:.0f} MB",
    )


def _spread(found_s: Sequence[float]) -> str:
    return f"{statistics.median(found_s):.1f} s (at most {max(found_s):.1f} s)"


def _p50(found: Sequence[float]) -> float:
    return statistics.median(found)


def _p99(found: Sequence[float]) -> float:
    return statistics.quantiles(found, n=100)[-1]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
