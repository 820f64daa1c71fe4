"""An environment in which nothing is set but what must be."""

import os
from pathlib import Path

import pytest

from consumer.settings import GROUPS

MINIMAL = {
    "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "MINIO_ENDPOINT": "store:9000",
    "MINIO_ACCESS_KEY": "access",
    "MINIO_SECRET_KEY": "hunter2",
    "ALLOWED_SOURCE_BUCKETS": "in",
    "OUTPUT_BUCKET": "out",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nothing of ours is set but what has no default, and nobody's home holds credentials."""
    ours = {name for group in GROUPS for name in group.variables()}
    for name in list(os.environ):
        if name.upper() in ours or name.startswith(("KAFKA_", "AWS_")):
            monkeypatch.delenv(name)
    for name, value in MINIMAL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return monkeypatch
