"""How many stems are stored side by side: read from the environment, used, and refused where it can't be."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from consumer.app.wiring import make_replica
from consumer.settings import ServiceSettings
from consumer.testing import MemoryBroker, MemoryOutbox, MemorySource, MemoryStore, SilentSeparator
from consumer.testing.replica import memory_adapters, memory_settings
from tests.recipes.copies import command


@pytest.mark.parametrize(("value", "wanted"), [(None, 8), ("", 8), ("3", 3)])
def test_it_is_read_from_the_environment(
    value: str | None, wanted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unset or empty it has its default; else a replica has just as many threads for storing."""
    monkeypatch.delenv("UPLOADS", raising=False)
    if value is not None:
        monkeypatch.setenv("UPLOADS", value)
    made: list[int] = []

    class Counted(ThreadPoolExecutor):
        def __init__(self, threads: int, name: str) -> None:
            made.append(threads)
            super().__init__(threads, name)

    monkeypatch.setattr("consumer.app.wiring.ThreadPoolExecutor", Counted)
    broker = MemoryBroker("separation.requests")
    adapters = memory_adapters(
        source=MemorySource(broker), outbox=MemoryOutbox(broker), store=MemoryStore("music", "stems"),
        separators=[SilentSeparator(weights_sha256="")],
    )  # fmt: skip
    make_replica(memory_settings(tmp_path), adapters)
    assert made == [wanted]
    assert ServiceSettings.load().model_dump()["uploads"] == wanted


@pytest.mark.parametrize("value", ["0", "65", "many"])
def test_a_wrong_value_ends_in_one_line(value: str) -> None:
    """`run` ends with code 1 and one line that begins with the variable."""
    done = command(
        "run", code=1, UPLOADS=value, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", ALLOWED_SOURCE_BUCKETS="in",
        OUTPUT_BUCKET="out", MINIO_ENDPOINT="127.0.0.1:1", MINIO_ACCESS_KEY="a", MINIO_SECRET_KEY="b",
    )  # fmt: skip
    [line] = done.stderr.splitlines()
    assert line.startswith("spleeter-consumer: UPLOADS: ")
