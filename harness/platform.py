"""A platform around the service for one test: its own topics and buckets, replicas as real processes, and a client.

What it reads, it reads as an outsider would: committed records only, from the beginning, all of them.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import urllib3
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from minio import Minio

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.kafka.retrying import is_transient, retried
from consumer.core.events import (
    AuditEvent,
    DeadLetter,
    Event,
    OutputOptions,
    SeparationRequest,
    SeparationResult,
    SourceObject,
)
from consumer.core.model import Headers
from devstack.service import free_port
from harness.group_reader import GroupReader
from harness.leaks import found_in, secrets_in
from harness.replica_process import ReplicaProcess
from harness.topics import create_topics
from harness.waiting import PATIENCE_S, wait_for

COMMAND = (str(Path(sys.executable).with_name("spleeter-consumer")),)


@dataclass(slots=True, kw_only=True)
class Platform:
    bootstrap_servers: str
    minio: Minio
    environment: Mapping[str, str]
    folder: Path
    replica_command: Sequence[str] = field(default_factory=lambda: [*COMMAND, "run"])
    replicas: list[ReplicaProcess] = field(default_factory=list)
    codec: AvroCodec = field(default_factory=AvroCodec)
    secrets: set[str] = field(default_factory=set)  # that any process of it was given
    handled: set[str] = field(default_factory=set)  # keys of objects
    _reader: GroupReader | None = field(default=None, init=False, repr=False)

    def topic(self, kind: str) -> str:
        return self.environment[f"TOPIC_{kind}"]

    @property
    def source_bucket(self) -> str:
        return self.environment["ALLOWED_SOURCE_BUCKETS"]

    @property
    def output_bucket(self) -> str:
        return self.environment["OUTPUT_BUCKET"]

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """A command of the service's, to its end."""
        environment = {**self.environment, **environment}
        self.secrets |= secrets_in(environment)
        done = subprocess.run(
            [*COMMAND, *arguments], env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        leaked = found_in(done.stdout + done.stderr, secrets_in(environment), ())
        assert not leaked, f"{arguments} says what is secret: {leaked}"
        return done

    def start_replica(self, **environment: str) -> ReplicaProcess:
        """A `run` process; not necessarily ready yet."""
        return self.start_process(self.replica_command, environment)

    def start_lag_exporter(self, **environment: str) -> ReplicaProcess:
        """A `lag --serve` process, which has a replica's pages and is none; not necessarily ready yet."""
        return self.start_process([*COMMAND, "lag", "--serve"], environment)

    def start_process(self, command: Sequence[str], environment: Mapping[str, str]) -> ReplicaProcess:
        port, number = free_port(), len(self.replicas)
        log = self.folder / f"replica-{number}.log"
        own = {"HTTP_PORT": str(port), "INSTANCE_ID": f"replica-{number}", "SCRATCH_DIR": str(self.folder)}
        environment = {**self.environment, **own, **environment}
        self.secrets |= secrets_in(environment)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        replica = ReplicaProcess(process, log, port)
        self.replicas.append(replica)
        return replica

    def upload(self, path: Path, key: str | None = None) -> str:
        self.handled.add(key or path.name)
        self.minio.fput_object(self.source_bucket, key or path.name, str(path))
        return key or path.name

    def send(self, value: bytes | None, key: str | None = None, headers: Headers = ()) -> None:
        self.send_to("REQUESTS", value, key, headers)

    def send_to(self, kind: str, value: bytes | None, key: str | None = None, headers: Headers = ()) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap_servers})
        producer.produce(self.topic(kind), value, key.encode() if key else None, headers=list(headers))
        assert producer.flush(30) == 0

    def request(self, object_key: str, *, output_format: str = "wav", **fields: object) -> SeparationRequest:
        """Sends a request for an object of the source bucket, and returns it."""
        request = self.a_request(object_key, output_format=output_format, **fields)
        self.send(self.codec.encode(request), request.request_id)
        return request

    def a_request(self, object_key: str, *, output_format: str = "wav", **fields: object) -> SeparationRequest:
        """A request for an object of the source bucket, which is not sent."""
        self.handled.add(object_key)
        request = SeparationRequest(
            request_id=uuid.uuid4().hex,
            source=SourceObject(bucket=self.source_bucket, key=object_key),
            requested_at=datetime.now(UTC),
            output=OutputOptions(format=output_format),
        )
        for name, value in fields.items():
            object.__setattr__(request, name, value)
        return request

    def outcomes(self, count: int, patience_s: float = PATIENCE_S) -> list[SeparationResult | DeadLetter]:
        """All outcomes, once there are that many and the group has nothing left to do; patience is for the next one."""
        there = 0

        def is_next_there() -> bool:
            nonlocal there
            before, there = there, len(self._read(self._outcome_kinds()))
            return there > before or there >= count

        while there < count:
            wait_for(is_next_there, patience_s=patience_s)
        wait_for(lambda: self.lag() == 0, patience_s=patience_s)
        return self.read_outcomes()

    def requests(self) -> list[Message]:
        """The records of the requests topic that are there now."""
        return self._read({self.topic("REQUESTS"): None})

    def read_topic(self, topic: str) -> list[Message]:
        """The committed records of a topic that are there now."""
        return self._read({topic: None})

    def read_outcomes(self) -> list[SeparationResult | DeadLetter]:
        """All outcomes that are there now."""
        kinds = self._outcome_kinds()
        return [self.codec.decode(kinds[message.topic()], message.value()) for message in self._read(kinds)]  # type: ignore[misc, index]

    def audit_events(self) -> list[AuditEvent]:
        """All audit events that are there now."""
        return [self.codec.decode(AuditEvent, each.value()) for each in self._read({self.topic("AUDIT"): AuditEvent})]

    def outcome_headers(self) -> dict[bytes | None, dict[str, bytes | None]]:
        """The headers of all outcomes that are there now, by record key."""
        return {message.key(): dict(_headers(message)) for message in self._read(self._outcome_kinds())}

    def _outcome_kinds(self) -> dict[str, type[Event]]:
        return {self.topic("RESULTS"): SeparationResult, self.topic("DEAD_LETTER"): DeadLetter}

    def _read(self, topics: Mapping[str, object]) -> list[Message]:
        """Every committed record of these topics, from the beginning to the end as it is now."""
        consumer = Consumer({
            "bootstrap.servers": self.bootstrap_servers, "group.id": "reader", "isolation.level": "read_committed",
            "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
        })  # fmt: skip
        metadata = retried(lambda: consumer.list_topics(timeout=10), PATIENCE_S).topics
        left = {(topic, number) for topic in topics if topic in metadata for number in metadata[topic].partitions}
        consumer.assign([TopicPartition(topic, number, 0) for topic, number in left])
        found = []
        while left:
            message = consumer.poll(30)
            assert message is not None, f"{left} could not be read to the end"
            trouble = message.error()
            if trouble is None:
                found.append(message)
            elif trouble.code() == KafkaError._PARTITION_EOF:
                left.discard((message.topic(), message.partition()))
            else:  # what passes is followed by records, what does not, by nothing
                assert is_transient(KafkaException(trouble)), trouble
        consumer.close()
        return found

    def unfinished(self) -> list[Message]:
        """Records of the requests and retry topics without an outcome: committed ones, so markers are none."""
        reader = self._kept_reader()
        places = reader.places(self.topic("REQUESTS"))
        finished = {(p.topic, p.partition): p.offset for p in reader.committed(places)}
        records = self._read({place.topic: None for place in places})
        return [record for record in records if record.offset() >= finished[record.topic(), record.partition()]]  # type: ignore[operator, index]

    def lag(self) -> int:
        """Records of the requests and retry topics that the group has not finished, markers included."""
        reader = self._kept_reader()
        places = reader.places(self.topic("REQUESTS"))
        # First what is finished, then what there is: what moves to a retry topic in between counts as left to do.
        finished = [max(0, place.offset) for place in reader.committed(places)]
        return sum(reader.ends(places)) - sum(finished)

    def _kept_reader(self) -> GroupReader:
        wanted = (self.bootstrap_servers, self.environment["KAFKA_GROUP_ID"])
        if self._reader is None or (self._reader.bootstrap_servers, self._reader.group_id) != wanted:
            self._close_reader()
            self._reader = GroupReader(*wanted)
        return self._reader

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def objects(self, prefix: str) -> set[str]:
        found = self.minio.list_objects(self.output_bucket, prefix, recursive=True)
        return {item.object_name for item in found if item.object_name}

    def close(self) -> None:
        for replica in self.replicas:
            if replica.process.poll() is None:
                replica.process.kill()
            replica.process.wait(60)
        self._close_reader()
        self.check_logs()

    def check_logs(self) -> None:
        """No process has said a secret that any was given, or the key of an object that was handled."""
        # Stems lie below the id, which logs may name: what they may not is the path to it.
        prefix = self.environment.get("OUTPUT_PREFIX", "stems/")
        for replica in self.replicas:
            leaked = found_in(replica.log.read_text(errors="replace"), self.secrets, self.handled, prefix)
            assert not leaked, f"{replica.log.name} holds what no log may: {leaked}"


def _headers(message: Message) -> Iterable[tuple[str, bytes | None]]:
    """As they lie in Kafka, whose client gives them as a list of names and bytes."""
    headers = message.headers() or []
    assert isinstance(headers, list)
    for name, value in headers:
        assert not isinstance(value, str)
        yield name, value


def make_platform(
    bootstrap_servers: str,
    minio_endpoint: str,
    folder: Path,
    model_path: Path,
    *,
    partitions: int = 6,
    name: str | None = None,
    store_authority: Path | None = None,
) -> Platform:
    """Topics and buckets of its own, as `topics create` would make them.

    store_authority: the file of the one that has signed the store's certificate; None: it speaks no TLS.
    """
    name = name or f"t{uuid.uuid4().hex[:8]}"
    environment = {
        **make_environment(name, bootstrap_servers),
        "MINIO_ENDPOINT": minio_endpoint,
        "MINIO_ACCESS_KEY": "minioadmin",
        "MINIO_SECRET_KEY": "minioadmin",
        **({"MINIO_CA_FILE": str(store_authority)} if store_authority else {"MINIO_SECURE": "false"}),
        "ALLOWED_SOURCE_BUCKETS": f"{name}-in",
        "OUTPUT_BUCKET": f"{name}-out",
        "MODEL_PATH": str(model_path),
        "MODEL_SOURCES": "none",
        "RETRY_DELAYS": "1s,2s",
        "DEDUPLICATE_CONTENT": "false",  # most tests want work to be done, and have few songs
    }
    pool = urllib3.PoolManager(ca_certs=str(store_authority)) if store_authority else None
    minio = Minio(minio_endpoint, "minioadmin", "minioadmin", secure=pool is not None, http_client=pool)
    platform = Platform(bootstrap_servers=bootstrap_servers, minio=minio, environment=environment, folder=folder)
    minio.make_bucket(platform.source_bucket)
    minio.make_bucket(platform.output_bucket)
    create_topics(environment, partitions=partitions)
    return platform


def make_environment(name: str, bootstrap_servers: str) -> dict[str, str]:
    """What a command needs to know of Kafka and of topics whose names begin with that one, and nothing else of ours."""
    kinds = ("REQUESTS", "RESULTS", "DEAD_LETTER", "PROGRESS", "CONTROL", "AUDIT")
    inherited = {
        n: v for n, v in os.environ.items() if n in ("PATH", "HOME", "TMPDIR", "LANG") or n.startswith("PYTHON")
    }
    return {
        **inherited,
        **{f"TOPIC_{kind}": f"{name}.{kind.lower().replace('_', '-')}" for kind in kinds},
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "KAFKA_GROUP_ID": f"{name}-group",
    }
