"""What `doctor` must find, each on real servers: a table of misconfigurations, and what it has to say of them."""

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from devstack.clamd import clamd
from devstack.kafka import kafka
from devstack.service import free_port
from harness.platform import COMMAND, Platform
from harness.waiting import PATIENCE_S
from tests.integration.test_doctor import told

# A settings' fault: the check that finds it, and words that its line has to have.
SETTINGS: dict[str, tuple[dict[str, str], str, tuple[str, ...]]] = {
    "where a new group begins": ({"KAFKA_AUTO_OFFSET_RESET": "latest"}, "settings", ("KAFKA_AUTO_OFFSET_RESET",)),
    "no statistics": ({"KAFKA_STATISTICS_INTERVAL_MS": "0"}, "settings", ("KAFKA_STATISTICS_INTERVAL_MS",)),
    "no ends of partitions": ({"KAFKA_ENABLE_PARTITION_EOF": "false"}, "settings", ("KAFKA_ENABLE_PARTITION_EOF",)),
    "no idempotence": ({"KAFKA_ENABLE_IDEMPOTENCE": "false"}, "settings", ("KAFKA_ENABLE_IDEMPOTENCE",)),
    "folder for metrics": ({"PROMETHEUS_MULTIPROC_DIR": "/proc/no"}, "settings", ("PROMETHEUS_MULTIPROC_DIR",)),
    "dead-letter topic": ({"TOPIC_DEAD_LETTER": "no.such"}, "kafka", ("no.such", "topics create")),
    "retry topics": ({"RETRY_DELAYS": "1s,2s,3s"}, "kafka", ("retry-3", "topics create")),
    "longer delays than retention": ({"RETRY_DELAYS": "1s,30d"}, "kafka", ("retention.ms", "RETRY_DELAYS")),
    "registry": ({"SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}, "schema registry", ("Connection refused",)),
    "store by TLS": ({"MINIO_SECURE": "true"}, "output buckets", ("MINIO_SECURE", "does not speak TLS")),
    "store's address": ({"MINIO_ENDPOINT": "no-such.invalid:9000"}, "source buckets", ("MINIO_ENDPOINT", "resolved")),
    "source bucket": ({"ALLOWED_SOURCE_BUCKETS": "no-such"}, "source buckets", ("ALLOWED_SOURCE_BUCKETS", "no-such")),
    "output bucket": ({"OUTPUT_BUCKET": "no-such"}, "output buckets", ("OUTPUT_BUCKET", "no-such")),
    "key of the store": ({"MINIO_SECRET_KEY": "wrong-key"}, "output buckets", ("MINIO_SECRET_KEY",)),
    "models": ({"MODEL_PATH": "/no/models"}, "models", ("MODEL_PATH", "no checkpoint")),
    "ffmpeg": ({"FFMPEG_PATH": "/no/ffmpeg"}, "ffmpeg", ("FFMPEG_PATH",)),
    "scratch space": ({"SCRATCH_DIR": "/proc/no"}, "scratch space", ("SCRATCH_DIR",)),
    "small scratch space": ({"MAX_OBJECT_BYTES": str(1 << 60)}, "scratch space", ("SCRATCH_DIR", "MAX_OBJECT_BYTES")),
    "scanner": ({"CLAMD_ADDRESS": "127.0.0.1:1"}, "scanner", ("Connection refused",)),
}  # fmt: skip
# A topic's: which, its property and value, and words that the line has to have.
TOPICS: dict[str, tuple[str, str, str, str]] = {
    "compacted dead letters": ("DEAD_LETTER", "cleanup.policy", "compact", "cleanup.policy=delete"),
    "requests kept for a minute": ("REQUESTS", "retention.ms", "60000", "retention.ms is 60000"),
    "more copies than there are": ("RESULTS", "min.insync.replicas", "2", "min.insync.replicas is 2"),
}


def only_failure(platform: Platform, **environment: str) -> tuple[str, str]:
    done = platform.run("doctor", **{"MAX_OBJECT_BYTES": "1000000", **environment})
    assert done.returncode == 1
    [(check, words)] = [item for item in told(done.stdout).items() if not item[1].startswith("OK")]
    return check, words


@pytest.mark.parametrize("what", SETTINGS)
def test_a_setting_that_is_wrong_is_found(platform: Platform, what: str) -> None:
    """By its own check, in words that say what to change; so is whatever else rests on it, and nothing else."""
    environment, check, words = SETTINGS[what]
    done = platform.run("doctor", **{"MAX_OBJECT_BYTES": "1000000", **environment})
    assert done.returncode == 1
    found = told(done.stdout)
    assert [word for word in words if word not in found[check]] == [], found[check]
    assert "wrong-key" not in done.stdout + done.stderr


@pytest.mark.parametrize("what", TOPICS)
def test_a_topics_property_that_is_wrong_is_found(platform: Platform, what: str) -> None:
    """The topic is named, and what mends it."""
    kind, name, value, words = TOPICS[what]
    set_property(platform, platform.topic(kind), name, value)
    check, line = only_failure(platform)
    assert (check, f"topic {platform.topic(kind)}: " in line, words in line) == ("kafka", True, True), line


def set_property(platform: Platform, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource_ = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    admin.incremental_alter_configs([resource_])[resource_].result(PATIENCE_S)


def test_several_faults_are_found_in_one_run(platform: Platform) -> None:
    """One does not hide another, also where one check finds them."""
    set_property(platform, platform.topic("DEAD_LETTER"), "cleanup.policy", "compact")
    set_property(platform, platform.topic("REQUESTS"), "retention.ms", "60000")
    check, line = only_failure(platform, TOPIC_PROGRESS="no.such.progress")
    assert check == "kafka"
    assert [
        word for word in ("no.such.progress", "cleanup.policy is compact", "retention.ms is 60000") if word not in line
    ] == []


def test_few_file_descriptors_are_found(platform: Platform) -> None:
    """As `ulimit -n` has set them."""
    done = subprocess.run(
        [*COMMAND, "doctor"], env={**platform.environment, "MAX_OBJECT_BYTES": "1000000"}, capture_output=True,
        text=True, timeout=PATIENCE_S, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)),
    )  # fmt: skip
    assert done.returncode == 1
    assert "ulimit -n is 256" in told(done.stdout)["scratch space"]


def test_a_scanner_that_takes_less_is_found(platform: Platform, tmp_path: Path) -> None:
    """StreamMaxLength is below MAX_OBJECT_BYTES."""
    port = free_port()
    scanner = clamd(tmp_path / "clamd", port, max_bytes=500_000).start()
    try:
        check, line = only_failure(platform, CLAMD_ADDRESS=f"127.0.0.1:{port}")
    finally:
        scanner.stop()
    assert (check, "StreamMaxLength" in line) == ("scanner", True), line


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker that forgets idle producers, allows short transactions alone, and knows no group of KIP-848."""
    port = free_port()
    further = {
        "transactional.id.expiration.ms": "8000",
        "transaction.max.timeout.ms": "5000",
        "group.coordinator.rebalance.protocols": "classic",
    }
    running = kafka(tmp_path_factory.mktemp("forgetful"), port, further=further).start()
    yield f"127.0.0.1:{port}"
    running.stop()


def test_brokers_settings_that_are_wrong_are_found(platform: Platform, forgetful: str) -> None:
    """All of them in one line, each with what to change."""
    settings = {"KAFKA_BOOTSTRAP_SERVERS": forgetful}
    assert platform.run("topics", "create", **settings).returncode == 0
    check, line = only_failure(platform, **settings)
    assert check == "kafka"
    for word in (
        "transactional.id.expiration.ms on the brokers is 8000",
        "transaction.max.timeout.ms",
        "KAFKA_GROUP_PROTOCOL",
    ):
        assert word in line
