"""One Kafka node (KRaft, broker and controller in one), with the group timing that production would use."""

import base64
import subprocess
import uuid
from collections.abc import Mapping
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
{further}"""
# Small and quick to start: tests need no throughput.
_JVM = ["-Xmx512m", "-Xms256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def kafka(
    folder: Path, port: int, doors: Mapping[int, int] | None = None, *, further: Mapping[str, str] | None = None
) -> Service:
    """A node whose data lies in folder, formatted if it is new.

    doors: further ports that it listens on → the port that it tells those who come that way, such as a proxy's.
    further: properties of the broker beside those that every node here has.
    """
    java = ["java", *_JVM, "-cp", f"{build.kafka_libs()}/*"]
    system.provide({"java": "openjdk-17-jre-headless"})
    properties, data = folder / "server.properties", folder / "data"
    if not data.exists():
        folder.mkdir(parents=True, exist_ok=True)
        properties.write_text(
            _PROPERTIES.format(
                port=port,
                controller_port=free_port(),
                data=data,
                listening_doors="".join(f",DOOR{own}://127.0.0.1:{own}" for own in doors or {}),
                advertised_doors="".join(f",DOOR{own}://127.0.0.1:{told}" for own, told in (doors or {}).items()),
                mapped_doors="".join(f",DOOR{own}:PLAINTEXT" for own in doors or {}),
                further="".join(f"{name}={value}\n" for name, value in (further or {}).items()),
            )
        )
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        formatted = subprocess.run(
            # With an equals sign, since an id may begin with a hyphen.
            [*java, "kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}",
             "-c", str(properties)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if formatted.returncode:
            raise SystemExit(f"Kafka's data folder can't be made:\n{formatted.stdout}{formatted.stderr}")
    return Service(
        name="Kafka",
        command=[*java, "kafka.Kafka", str(properties)],
        folder=folder,
        is_ready=lambda: _answers(f"127.0.0.1:{port}"),
    )


def _answers(bootstrap_servers: str) -> bool:
    try:
        client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
        return bool(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return False
