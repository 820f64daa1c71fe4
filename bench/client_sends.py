"""How fast one client sends: at a steady rate, from when a request was due until its job says that Kafka has it.

`python -m bench.client_sends client|bare`, in a platform's environment, is one contender, and prints JSON.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from queue import SimpleQueue

import psutil
from confluent_kafka import Producer

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.kafka.config import producer_config
from consumer.client import Client, Job
from consumer.settings import KafkaSettings, TopicSettings
from harness.fakes import a_request
from harness.platform import Platform

RATE, SECONDS, WARM_UP_S = 5000, 20.0, 3.0
_THREADS = 4
_PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sends:
    """late_ms: from when each was due until it was acknowledged, without those of the warm-up. begun_mb, peak_mb:
    resident memory of the process after the warm-up, and its most from then on."""

    late_ms: list[float]
    begun_mb: float
    peak_mb: float


def measure(platform: Platform, contender: str) -> Sends:
    """In a process of its own. Raises SystemExit with its words if it fails."""
    # What is compiled and imported is the same as here.
    environment = {**os.environ, **platform.environment}
    command = [sys.executable, "-m", "bench.client_sends", contender]
    ran = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=_PATIENCE_S,
    )  # fmt: skip
    if ran.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{ran.stderr[-2000:]}")
    return Sends(**json.loads(ran.stdout))


def by_client() -> Sends:
    """Through a client, by several threads; one more waits for each job in turn, as its user would."""
    with Client.from_env() as client:
        client.separate("music/song.mp3").sent()
        jobs: SimpleQueue[tuple[float, Job] | None] = SimpleQueue()
        late_s: list[float] = []

        def wait() -> None:
            while (sent := jobs.get()) is not None:
                due_at, job = sent
                job.sent(_PATIENCE_S)
                late_s.append(time.perf_counter() - due_at)

        def send(due_at: float) -> None:
            job = client.separate("music/song.mp3", model="4stems", format="flac", metadata={"album": "17"})
            jobs.put((due_at, job))

        waiting = threading.Thread(target=wait)
        waiting.start()
        memory = _steadily(send, threads=_THREADS)
        jobs.put(None)
        waiting.join(_PATIENCE_S)
    return _sends(late_s, memory)


def by_bare_producer() -> Sends:
    """What the library and the broker take: the same record, encoded once, by one thread that does nothing else."""
    producer = Producer(producer_config(KafkaSettings.load()) | {"linger.ms": 5})
    topic, value = TopicSettings.load().requests, AvroCodec().encode(a_request())
    producer.produce(topic, value)
    producer.flush(_PATIENCE_S)
    late_s: list[float] = []
    is_over = threading.Event()

    def poll() -> None:
        while not is_over.is_set():
            producer.poll(0.1)

    def send(due_at: float) -> None:
        key = f"{due_at}".encode()
        producer.produce(topic, value, key, on_delivery=lambda *_: late_s.append(time.perf_counter() - due_at))

    polling = threading.Thread(target=poll)
    polling.start()
    memory = _steadily(send, threads=1)
    producer.flush(_PATIENCE_S)
    is_over.set()
    polling.join(_PATIENCE_S)
    return _sends(late_s, memory)


def _steadily(send: Callable[[float], None], *, threads: int) -> Mapping[float, float]:
    """Sends at RATE, each when it is due or, where one is behind, at once; returns memory in MB by seconds."""
    begin_at = time.perf_counter() + 0.1
    senders = [threading.Thread(target=_send_share, args=(send, begin_at, n, threads)) for n in range(threads)]
    for sender in senders:
        sender.start()
    memory = dict(_watch(begin_at))
    for sender in senders:
        sender.join(_PATIENCE_S)
    return memory


def _send_share(send: Callable[[float], None], begin_at: float, first: int, step: int) -> None:
    for number in range(first, int(RATE * (WARM_UP_S + SECONDS)), step):
        due_at = begin_at + number / RATE
        if (early_s := due_at - time.perf_counter()) > 0:
            time.sleep(early_s)
        send(due_at)


def _watch(begin_at: float) -> Iterator[tuple[float, float]]:
    process = psutil.Process()
    while (at := time.perf_counter() - begin_at) < WARM_UP_S + SECONDS:
        yield at, process.memory_info().rss / 1e6
        time.sleep(0.1)


def _sends(late_s: list[float], memory: Mapping[float, float]) -> Sends:
    after = [mb for at, mb in memory.items() if at >= WARM_UP_S]
    return Sends(
        late_ms=[1000 * late for late in late_s[int(RATE * WARM_UP_S) :]], begun_mb=after[0], peak_mb=max(after)
    )


def main() -> None:
    contenders = {"client": by_client, "bare": by_bare_producer}
    sys.stdout.write(json.dumps(asdict(contenders[sys.argv[1]]())))


if __name__ == "__main__":
    main()
