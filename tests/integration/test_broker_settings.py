"""What topics and brokers are set to, on a real broker: as they are created, and as others set them."""

from collections.abc import Mapping

import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from harness.platform import Platform
from harness.waiting import wait_for

UNPACKED_BYTES = 30_000_000


def set_topic(platform: Platform, kind: str, settings: Mapping[str, str]) -> None:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, platform.topic(kind), incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    admin.incremental_alter_configs([resource])[resource].result(30)


@pytest.mark.parametrize("kind", ["REQUESTS", "CONTROL"])
@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
def test_a_small_batch_that_unpacks_to_much_is_refused_by_the_broker(
    one_partition: Platform, codec: str, kind: str
) -> None:
    """On topics as they are created, whatever packs it; one that stays below the limit when unpacked is taken."""
    platform = one_partition
    errors: list[KafkaError | None] = []
    producer = Producer({
        "bootstrap.servers": platform.bootstrap_servers, "compression.type": codec, "message.max.bytes": 1_000_000_000,
    })  # fmt: skip
    for size_bytes in (UNPACKED_BYTES if codec != "snappy" else UNPACKED_BYTES // 2, 500_000):
        producer.produce(platform.topic(kind), bytes(size_bytes), on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(60) == 0
    [refused, taken] = errors
    assert refused is not None
    assert refused.code() == KafkaError.MSG_SIZE_TOO_LARGE
    assert taken is None


def test_each_setting_that_breaks_a_promise_is_found_at_once(platform: Platform) -> None:
    """All of them in one run of `doctor`, and in the log of a replica that starts; mended, all is well."""
    broken = {
        "REQUESTS": {"compression.type": "producer", "cleanup.policy": "compact"},
        "CONTROL": {"max.message.bytes": "3000000"},
        "DEAD_LETTER": {"max.message.bytes": "500000", "min.insync.replicas": "2"},
        "RESULTS": {"retention.ms": "60000"},
    }
    for kind, settings in broken.items():
        set_topic(platform, kind, settings)
    told = platform.run("doctor", MAX_OBJECT_BYTES="1000000")
    assert told.returncode == 1
    [line] = [line for line in told.stdout.splitlines() if line.startswith("kafka: ")]
    for kind, settings in broken.items():
        for name, value in settings.items():
            assert f"topic {platform.topic(kind)}: {name} is {value}, " in line
            assert f"set {name}=" in line
    replica = platform.start_replica()
    wait_for(lambda: len(replica.said("kafka.setting")) == 6)
    assert {str(said["finding"]) for said in replica.said("kafka.setting")} == set(
        line.removeprefix("kafka: ").split("; ")
    )
    replica.wait_ready()  # it goes on: some of these are a matter of degree
    mended = {
        "REQUESTS": {"compression.type": "uncompressed", "cleanup.policy": "delete"},
        "CONTROL": {"max.message.bytes": "1048588"},
        "DEAD_LETTER": {"max.message.bytes": "2097152", "min.insync.replicas": "1"},
        "RESULTS": {"retention.ms": str(7 * 24 * 3_600_000)},
    }
    for kind, settings in mended.items():
        set_topic(platform, kind, settings)
    assert platform.run("doctor", MAX_OBJECT_BYTES="1000000").returncode == 0
