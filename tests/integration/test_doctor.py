"""`doctor` on real servers: what is well is said to be, and each thing that is not is named."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from devstack.clamd import clamd
from devstack.service import free_port
from harness.platform import COMMAND, Platform
from harness.waiting import PATIENCE_S

CHECKS = [
    "settings", "kafka", "schema registry", "source buckets", "output buckets", "models", "ffmpeg", "scanner",
    "scratch space", "sandbox",
]  # fmt: skip


def told(output: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in output.splitlines())


def test_a_platform_that_is_well_is_said_to_be(platform: Platform, tmp_path: Path) -> None:
    """Each check says OK and what it found; exit code 0."""
    port = free_port()
    scanner = clamd(tmp_path / "clamd", port).start()
    done = platform.run("doctor", CLAMD_ADDRESS=f"127.0.0.1:{port}", MAX_OBJECT_BYTES="1000000")
    scanner.stop()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    found = told(done.stdout)
    assert list(found) == CHECKS
    assert {words.split()[0] for words in found.values()} == {"OK"}
    assert f"{platform.topic('REQUESTS')} has 6 partitions" in found["kafka"]
    assert found["ffmpeg"].startswith("OK (ffmpeg version")
    assert "by native (its kernels are installed, run on this processor and fit the models)" in found["models"]
    assert "landlock" in found["sandbox"]
    assert [item.object_name for item in platform.minio.list_objects(platform.output_bucket, recursive=True)] == [
        "stems/.doctor"
    ]


def test_each_thing_that_is_wrong_is_named(platform: Platform, tmp_path: Path) -> None:
    """One line each, though all else is wrong too; exit code 1, and no secret anywhere."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    done = platform.run(
        "doctor",
        TOPIC_REQUESTS="no.such.topic",
        SCHEMA_REGISTRY_URL=f"http://user:hunter2@127.0.0.1:{port}",
        ALLOWED_SOURCE_BUCKETS="no-such-bucket",
        MINIO_SECRET_KEY="hunter2",
        MODEL_PATH=str(tmp_path / "no-models"),
        FFMPEG_PATH=str(tmp_path / "no-ffmpeg"),
        CLAMD_ADDRESS=f"127.0.0.1:{port}",
        SCRATCH_DIR=str(tmp_path / "no-scratch"),
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "spleeter-consumer: 8 of 10 checks failed"
    found = told(done.stdout)
    assert list(found) == CHECKS
    assert found["kafka"].startswith("there are no topics no.such.topic, no.such.topic.retry-1")
    assert found["schema registry"].startswith("the schema registry can't be reached")
    for name in ("source buckets", "output buckets"):
        assert "MINIO_SECRET_KEY" in found[name]
    assert found["models"] == "model 2stems: no checkpoint in 2stems/ under MODEL_PATH"
    assert found["ffmpeg"].startswith("FFMPEG_PATH: ")
    assert found["scanner"].startswith("the scanner can't be reached")
    assert found["scratch space"].startswith("SCRATCH_DIR: can't be written to")
    assert "hunter2" not in done.stdout + done.stderr


def test_settings_that_are_wrong_are_all_named_and_end_nothing_else(platform: Platform) -> None:
    """Each group says what is wrong with it; checks that need one of these variables name it, all others are made."""
    done = platform.run(
        "doctor", RETRY_DELAYS="soon", OUTPUT_BUCKET="", MAX_JOB_S="long", CLAMD_ADDRESS="nowhere",
        MAX_OBJECT_BYTES="1000000", LOG_LEVEL="loud",
    )  # fmt: skip
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    settings = sorted(line.removeprefix("settings: ") for line in lines if line.startswith("settings: "))
    assert [line.split(" ")[0] for line in settings] == [
        "CLAMD_ADDRESS:",
        "LOG_LEVEL:",
        "OUTPUT_BUCKET",
        "RETRY_DELAYS:",
    ]
    assert "MAX_JOB_S: not a duration" in settings[2]
    found = told(done.stdout)
    assert list(found) == CHECKS
    assert {name: words for name, words in found.items() if not words.startswith("OK") and name != "settings"} == {
        "kafka": "not checked: RETRY_DELAYS missing or wrong",
        "output buckets": "not checked: OUTPUT_BUCKET missing or wrong",
        "scanner": "not checked: CLAMD_ADDRESS missing or wrong",
    }
    assert done.stderr.splitlines()[-1] == "spleeter-consumer: 4 of 10 checks failed"


def test_without_any_setting_all_that_is_missing_is_named() -> None:
    """A machine where nothing is set learns at once what must be, and what is there already."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [*COMMAND, "doctor"], env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 1
    must_be_set = {word for word in done.stdout.split() if word.isupper() and "_" in word}
    assert {
        "KAFKA_BOOTSTRAP_SERVERS", "MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY",
        "ALLOWED_SOURCE_BUCKETS", "OUTPUT_BUCKET",
    } <= must_be_set  # fmt: skip
    assert list(told(done.stdout)) == CHECKS
    assert told(done.stdout)["kafka"] == "not checked: KAFKA_BOOTSTRAP_SERVERS missing or wrong"
    assert told(done.stdout)["ffmpeg"].startswith("OK")


def test_a_property_that_librdkafka_refuses_is_told_by_the_check(platform: Platform) -> None:
    """What only the client finds wrong with a setting is said whole, where it was found."""
    done = platform.run("doctor", KAFKA_NO_SUCH_THING="1", MAX_OBJECT_BYTES="1000000")
    assert done.returncode == 1
    found = told(done.stdout)
    assert found["settings"] == "OK"
    assert found["kafka"].startswith("KAFKA_NO_SUCH_THING: ")


@pytest.mark.parametrize("wrong", ["source", "bucket", "further", "space"])
def test_one_thing_that_is_wrong_is_named_alone(platform: Platform, wrong: str) -> None:
    """All other checks still say what they found."""
    variable, value, check = {
        "source": ("ALLOWED_SOURCE_BUCKETS", "no-such-bucket", "source buckets"),
        "bucket": ("OUTPUT_BUCKET", "no-such-bucket", "output buckets"),
        "further": ("ALLOWED_OUTPUT_BUCKETS", "no-such-bucket", "output buckets"),
        "space": ("MAX_OBJECT_BYTES", str(1 << 60), "scratch space"),
    }[wrong]
    done = platform.run("doctor", **{"MAX_OBJECT_BYTES": "1000000", variable: value})
    failed = {name: words for name, words in told(done.stdout).items() if not words.startswith("OK")}
    assert (done.returncode, list(failed)) == (1, [check])
    assert variable in failed[check]
