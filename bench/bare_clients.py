"""What the servers alone take of one message: the reads, writes and transactions on its way, by bare clients in a row.

No promise can be kept in less on that machine, unless with fewer of them.
"""

import io
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

from confluent_kafka import Consumer, Producer, TopicPartition
from minio.error import S3Error

from consumer.core.events import SeparationRequest
from harness.platform import Platform
from harness.waiting import PATIENCE_S

_STEM_BYTES, _MANIFEST_BYTES, _RESULT_BYTES = 20_000, 3_000, 800  # about what the fake separator's are


def one_by_one(platform: Platform, requests: Sequence[SeparationRequest]) -> list[float]:
    """Milliseconds each."""
    with closing(_member(platform)) as member, ThreadPoolExecutor(2) as uploads:
        commit = _committer(platform, member)
        return [_milliseconds(lambda n=n, r=r: _way(platform, uploads, commit, r, n)) for n, r in enumerate(requests)]  # type: ignore[misc]


def _way(
    platform: Platform,
    uploads: ThreadPoolExecutor,
    commit: Callable[[int, bytes | None], None],
    request: SeparationRequest,
    offset: int,
) -> None:
    store, source, prefix = platform.minio, request.source, uuid.uuid4().hex

    def read(bucket: str, key: str) -> None:
        with suppress(S3Error):  # the manifest and the index have nothing of it yet
            response = store.get_object(bucket, key)
            response.read()
            response.release_conn()

    def write(name: str, size_bytes: int) -> None:
        store.put_object(platform.output_bucket, f"{prefix}/{name}", io.BytesIO(bytes(size_bytes)), size_bytes)

    read(platform.output_bucket, f"{prefix}/manifest")
    store.stat_object(source.bucket, source.key)
    read(source.bucket, source.key)
    read(platform.output_bucket, f"{prefix}/index")
    commit(offset, None)  # the start, counted
    list(uploads.map(lambda name: write(name, _STEM_BYTES), ("vocals", "accompaniment")))
    write("manifest", _MANIFEST_BYTES)
    commit(offset + 1, bytes(_RESULT_BYTES))


def _member(platform: Platform) -> Consumer:
    """A member of a group of its own, with partitions: only such a one may commit."""
    member = Consumer({
        "bootstrap.servers": platform.bootstrap_servers, "group.id": uuid.uuid4().hex, "enable.auto.commit": False,
        "log_level": 0,
    })  # fmt: skip
    member.subscribe([platform.topic("REQUESTS")])
    deadline = time.monotonic() + PATIENCE_S
    while not member.assignment():
        if time.monotonic() > deadline:
            raise SystemExit("the group gave the bare client no partition")
        member.poll(0.1)
    return member


def _committer(platform: Platform, member: Consumer) -> Callable[[int, bytes | None], None]:
    producer = Producer({
        "bootstrap.servers": platform.bootstrap_servers, "transactional.id": uuid.uuid4().hex, "linger.ms": 0,
        "retry.backoff.ms": 1, "log_level": 0,
    })  # fmt: skip
    producer.init_transactions()
    membership = member.consumer_group_metadata()

    def commit(offset: int, result: bytes | None) -> None:
        producer.begin_transaction()
        if result:
            producer.produce(platform.topic("RESULTS"), result)
        position = TopicPartition(platform.topic("REQUESTS"), 0, offset)
        producer.send_offsets_to_transaction([position], membership)
        producer.commit_transaction()

    return commit


def _milliseconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)
