"""A replica that is told to stop, or that can't begin."""

import hashlib
import json
import shutil
import signal
import tarfile
from pathlib import Path

from consumer.core.events import SeparationResult
from harness.clips import write_clip
from harness.platform import Platform
from harness.waiting import wait_for


def test_sigterm_in_mid_job_shows_nothing_half_done(platform: Platform, tmp_path: Path) -> None:
    """A replica without time to finish leaves no stem that is not whole, and another one does its job, once."""
    key = platform.upload(write_clip(tmp_path / "long.flac", seconds=240.0, seed=3))
    first = platform.start_replica(SHUTDOWN_GRACE_S="0")
    first.wait_ready()
    request = platform.request(key)
    wait_for(lambda: first.said("separation.fetch"))

    first.process.send_signal(signal.SIGTERM)

    assert first.process.wait(60) == 0
    assert not platform.objects(f"stems/{request.request_id}/manifest.json")
    assert not list(tmp_path.glob("*-group-*")), "scratch files were left behind"
    platform.start_replica().wait_ready()
    [result] = platform.outcomes(1)
    assert isinstance(result, SeparationResult)
    assert result.request_id == request.request_id


def test_sigterm_with_grace_finishes_what_is_begun(platform: Platform, tmp_path: Path) -> None:
    """A replica that has the time publishes what it is at work on, and then ends."""
    key = platform.upload(write_clip(tmp_path / "song.flac", seconds=60.0, seed=4))
    replica = platform.start_replica(SHUTDOWN_GRACE_S="120s")
    replica.wait_ready()
    request = platform.request(key)
    wait_for(lambda: replica.said("separation.fetch"))
    replica.process.send_signal(signal.SIGTERM)
    assert replica.process.wait(120) == 0
    [result] = platform.outcomes(1)
    assert result.request_id == request.request_id


def test_missing_model_is_said_by_ready_and_comes_from_a_bucket(
    platform: Platform, tmp_path: Path, model_path: Path
) -> None:
    """Without its model a replica is alive but not ready; once a bucket holds it, whole, work begins."""
    archive = tmp_path / "2stems.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for path in (model_path / "2stems").iterdir():
            tar.add(path, path.name)
    checksum = tmp_path / "checksum.json"
    checksum.write_text(json.dumps({"2stems": "0" * 64}))
    for path in (archive, checksum):
        platform.minio.fput_object(platform.source_bucket, f"models/{path.name}", str(path))
    replica = platform.start_replica(
        MODEL_PATH=str(tmp_path / "empty"), MODEL_SOURCES=f"s3://{platform.source_bucket}/models"
    )
    key = platform.upload(write_clip(tmp_path / "song.flac", seconds=1.0, seed=4))
    platform.request(key)
    wait_for(lambda: replica.said("model.unavailable"))
    ready, health = replica.get("/ready"), replica.get("/health")
    assert ready is not None
    assert ready.status_code == 503
    assert "published checksum" in ready.text
    assert health is not None
    assert health.is_success
    checksum.write_text(json.dumps({"2stems": hashlib.sha256(archive.read_bytes()).hexdigest()}))
    platform.minio.fput_object(platform.source_bucket, "models/checksum.json", str(checksum))
    [result] = platform.outcomes(1)
    assert isinstance(result, SeparationResult)
    replica.wait_ready()
    shutil.rmtree(tmp_path / "empty")


def test_pages_of_a_working_replica(platform: Platform, tmp_path: Path) -> None:
    """/metrics counts what was done, under the names of the contract, and logs are JSON with the ids bound."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=2.0, seed=4))
    replica = platform.start_replica()
    replica.wait_ready()
    request = platform.request(key)
    platform.outcomes(1)
    lines = {
        'separation_jobs_total{code="",outcome="done"} 1.0',
        'separation_audio_seconds_total{model="2stems"} 2.0',
        "separation_in_flight 0.0",
        "separation_separator_restarts_total 0.0",
    }
    # What is committed is counted, and logged, a moment later.
    wait_for(lambda: (page := replica.get("/metrics")) is not None and lines <= set(page.text.splitlines()))
    wait_for(lambda: replica.said("separation.published"))
    ours = [line for line in replica.lines() if line.get("request_id") == request.request_id]
    stages = [line["event"] for line in ours if line.get("logger") != "audit"]
    assert stages == [
        f"separation.{s}" for s in ("validate", "recall", "model", "fetch", "separate", "store", "published")
    ]
    assert "song.wav" not in replica.log.read_text()
    assert "minioadmin" not in replica.log.read_text()
