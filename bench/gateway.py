"""`python -m bench.gateway [JOBS]`: what the HTTP gateway holds and how soon it answers; a table in Markdown.

JOBS: how many stand in the log when it starts, each with its result; a million unless another number is given.
"""

import contextlib
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx2
import psutil
from confluent_kafka import Producer

from bench.arena import Arena
from bench.table import Row, spread_ms
from bench.uploads import upload_rows
from harness.gateway import KEY, Gateway, gateway
from harness.pages.examples import example_request, example_result
from harness.platform import Platform
from harness.waiting import wait_for

JOBS, ASKED, SENT, STREAMS = 1_000_000, 2000, 500, 1000
_CALLERS = 8
_PATIENCE_S = 1800.0
_FREELY = {
    "RATE_LIMIT_REQUESTS_PER_S": "100000", "RATE_LIMIT_BURST": "100000", "MAX_JOBS_IN_FLIGHT": "10000000",
    "HTTP_MAX_STREAMS": str(STREAMS), "MAX_STREAMS": str(STREAMS), "HTTP_MAX_CLIENTS": str(STREAMS + 100),
}  # fmt: skip


def main() -> None:
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else JOBS
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder))
        arena.start()
        try:
            _say("| the gateway, on one Kafka and one MinIO on this machine | measured |")
            _say("|---|---:|")
            for row in measure(arena, jobs):
                _say(str(row))
        finally:
            arena.stop()


def measure(arena: Arena, jobs: int) -> Iterator[Row]:
    """All rows, each as soon as it is known."""
    with arena.platform() as platform:
        fill(platform, jobs)
        with gateway(platform, _PATIENCE_S, **_FREELY) as door:
            yield from _of_the_index(door, jobs)
    with arena.platform() as platform, gateway(platform, **_FREELY) as door:
        yield from _of_posts(door, platform)
        yield from _of_streams(door, platform)
        yield from upload_rows(door, platform)


def fill(platform: Platform, jobs: int) -> None:
    """So many requests and results, named `job-<number>`."""
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers, "linger.ms": 50, "compression.type": "lz4"})
    request, result = example_request(), example_result()
    for topic, event in ((platform.topic("REQUESTS"), request), (platform.topic("RESULTS"), result)):
        for number in range(jobs):
            named = replace(event, request_id=f"job-{number}")
            _produce(producer, topic, platform.codec.encode(named), named.request_id.encode())
        if unsent := producer.flush(_PATIENCE_S):
            raise SystemExit(f"{unsent} records were not sent")


def _produce(producer: Producer, topic: str, value: bytes, key: bytes) -> None:
    while True:
        try:
            producer.produce(topic, value, key)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _of_the_index(door: Gateway, jobs: int) -> Iterator[Row]:
    wait_for(lambda: door.process.said("gateway.caught_up"))  # it is told a moment later
    [caught_up] = door.process.said("gateway.caught_up")
    process = psutil.Process(door.process.process.pid)
    yield Row(what=f"{jobs:,} jobs in the log: start to ready", figure=f"{caught_up['seconds']:.0f} s")
    yield Row(what="memory then", figure=f"{process.memory_info().rss / 1e6:.0f} MB")
    chosen = random.Random(1)
    paths = [f"/v1/separations/job-{chosen.randrange(jobs)}" for _ in range(ASKED)]
    yield Row(what="GET of one of them, p50 / p99", figure=spread_ms(_each(paths, partial_get(door))))
    with ThreadPoolExecutor(_CALLERS) as callers:
        shares = list(callers.map(lambda n: _each(paths[n::_CALLERS], partial_get(door)), range(_CALLERS)))
    yield Row(
        what=f"the same, by {_CALLERS} callers at once, p50 / p99", figure=spread_ms([ms for s in shares for ms in s])
    )


def partial_get(door: Gateway) -> Callable[[str], None]:
    """Asks for a page over a connection of its own."""
    http = door.client(**{"X-API-KEY": KEY})

    def get(path: str) -> None:
        http.get(path).raise_for_status()

    return get


def _each(paths: Sequence[str], ask: Callable[[str], None]) -> list[float]:
    """Milliseconds of each."""
    taken_ms = []
    for path in paths:
        began_at = time.perf_counter()
        ask(path)
        taken_ms.append(1000 * (time.perf_counter() - began_at))
    return taken_ms


def _of_posts(door: Gateway, platform: Platform) -> Iterator[Row]:
    body = {"source": {"bucket": platform.source_bucket, "key": "song.mp3"}}

    def post(_: str) -> None:
        assert door.http.post("/v1/separations", json=body).status_code == httpx2.codes.ACCEPTED

    yield Row(what="POST that names an object, to its 202, p50 / p99", figure=spread_ms(_each([""] * SENT, post)))
    yield Row(
        what="a bare producer, a record at a time, to its acknowledgement, p50 / p99", figure=spread_ms(_bare(platform))
    )


def _bare(platform: Platform) -> list[float]:
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers, "linger.ms": 0})
    value, topic = platform.codec.encode(example_request()), platform.topic("REQUESTS")

    def send(_: str) -> None:
        producer.produce(topic, value)
        assert producer.flush(_PATIENCE_S) == 0

    send("")
    return _each([""] * SENT, send)


def _of_streams(door: Gateway, platform: Platform) -> Iterator[Row]:
    process = psutil.Process(door.process.process.pid)
    before = process.memory_info().rss
    arrived_at: list[float] = []
    heard = threading.Semaphore(0)
    opened = threading.Semaphore(0)

    def listen() -> None:
        with contextlib.suppress(httpx2.HTTPError), door.client(**{"X-API-KEY": KEY}).stream("GET", "/v1/events") as s:
            opened.release()
            for line in s.iter_lines():
                if line == "event: accepted":
                    arrived_at.append(time.perf_counter())
                    heard.release()
                    return

    threading.stack_size(256 << 10)
    threads = [threading.Thread(target=listen, daemon=True) for _ in range(STREAMS)]
    for thread in threads:
        thread.start()
        opened.acquire(timeout=_PATIENCE_S)
    held_kb = (process.memory_info().rss - before) / STREAMS / 1e3
    began_at = time.perf_counter()
    body = {"source": {"bucket": platform.source_bucket, "key": "song.mp3"}}
    door.http.post("/v1/separations", json=body).raise_for_status()
    for _ in threads:
        assert heard.acquire(timeout=_PATIENCE_S)
    late_ms = [1000 * (at - began_at) for at in arrived_at]
    yield Row(what=f"{STREAMS:,} streams of events held at once: memory of each", figure=f"{held_kb:.0f} kB")
    yield Row(
        what="from a POST until all of them have told of it, the median and the last",
        figure=f"{statistics.median(late_ms):.0f} / {max(late_ms):.0f} ms",
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
