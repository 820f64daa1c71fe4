"""What storms upload is sought in the logs of their replicas."""

import io
import random
from pathlib import Path
from typing import Any

import pytest

from harness.chaos.traffic import Traffic
from harness.platform import Platform
from harness.replica_process import ReplicaProcess


class _Store:
    """Takes whatever it is given."""

    def put_object(self, bucket: str, key: str, data: io.BytesIO, length: int) -> None:
        assert len(data.read()) == length


def test_a_source_in_a_log_is_found(tmp_path: Path) -> None:
    """Also where it went past the platform's own way to upload."""
    store: Any = _Store()
    settings = {"ALLOWED_SOURCE_BUCKETS": "songs"}
    platform = Platform(bootstrap_servers="127.0.0.1:1", minio=store, environment=settings, folder=tmp_path)
    traffic = Traffic(platform, random.Random(1))
    traffic.add_source("albums/song.wav", b"song")
    process: Any = None
    platform.replicas.append(ReplicaProcess(process, tmp_path / "log", 0))
    (tmp_path / "log").write_text('{"event": "nothing of it"}\n')
    platform.check_logs()
    (tmp_path / "log").write_text('{"event": "fetched albums/song.wav"}\n')
    with pytest.raises(AssertionError, match=r"albums/song\.wav"):
        platform.check_logs()
