"""One Kafka node (KRaft, broker and controller in one), with the group timing that production would use."""

import base64
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from devstack import build, system
from devstack.service import Service, free_port

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{listening_doors}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertised_doors}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{mapped_doors}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
log.dirs={data}
# One node: nothing can be replicated.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
offsets.topic.num.partitions=8
transaction.state.log.num.partitions=8
group.initial.rebalance.delay.ms=0
# Lets a group ask for a short session, so that a dead replica's work moves within seconds.
group.consumer.min.session.timeout.ms=3000
group.consumer.min.heartbeat.interval.ms=500
# Or it writes twice a second that nothing has happened.
metadata.max.idle.interval.ms=0
{further}"""
# Small and quick to start: tests need no throughput.
_JVM = ["-Xmx512m", "-Xms256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
_ARCHIVE = "classes.jsa"
_ARCHIVED_WITHIN_S = 120.0


def kafka(
    folder: Path, port: int, doors: Mapping[int, int] | None = None, *, further: Mapping[str, str] | None = None
) -> Service:
    """A node whose data lies in folder, formatted if it is new.

    doors: further ports that it listens on → the port that it tells those who come that way, such as a proxy's.
    further: properties of the broker beside those that every node here has.
    """
    system.provide({"java": "openjdk-17-jre-headless"})
    java = [*_java(), *_archived()]
    if not (folder / "data").exists():
        _write_properties(folder, port, doors or {}, further or {})
        _format(java, folder)
    return _node(java, folder, port)


def _write_properties(folder: Path, port: int, doors: Mapping[int, int], further: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.properties").write_text(
        _PROPERTIES.format(
            port=port,
            controller_port=free_port(),
            data=folder / "data",
            listening_doors="".join(f",DOOR{own}://127.0.0.1:{own}" for own in doors),
            advertised_doors="".join(f",DOOR{own}://127.0.0.1:{told}" for own, told in doors.items()),
            mapped_doors="".join(f",DOOR{own}:PLAINTEXT" for own in doors),
            further="".join(f"{name}={value}\n" for name, value in further.items()),
        )
    )


def _java() -> list[str]:
    return ["java", *_JVM, "-cp", f"{build.kafka_libs()}/*"]


def _archived() -> list[str]:
    """What has Java begin with the classes that it has read and verified before: half the work of a start.

    Nobody writes to that archive any more, however a node ends; a Java that can't make one goes without.
    """
    archive = build.kafka_classes(_archive_classes) / _ARCHIVE
    return [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []


def _archive_classes(to: Path) -> None:
    """By a node that starts, answers, and writes at its end what it has loaded."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        _write_properties(folder, port, {}, {})
        _format(_java(), folder)
        running = _node([*_java(), f"-XX:ArchiveClassesAtExit={to / _ARCHIVE}"], folder, port).start()
        running.process.terminate()
        try:
            running.process.wait(_ARCHIVED_WITHIN_S)
        finally:
            running.kill()


def _format(java: Sequence[str], folder: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    formatted = subprocess.run(
        # With an equals sign, since an id may begin with a hyphen.
        [*java, "kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}",
         "-c", str(folder / "server.properties")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if formatted.returncode:
        raise SystemExit(f"Kafka's data folder can't be made:\n{formatted.stdout}{formatted.stderr}")


def _node(java: Sequence[str], folder: Path, port: int) -> Service:
    return Service(
        name="Kafka",
        command=[*java, "kafka.Kafka", str(folder / "server.properties")],
        folder=folder,
        is_ready=lambda: _answers(f"127.0.0.1:{port}"),
    )


def _answers(bootstrap_servers: str) -> bool:
    try:
        client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
        return bool(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return False
