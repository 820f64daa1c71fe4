"""Three replicas on real Kafka and MinIO while both, the replicas and the network fail, by a schedule from a seed."""

import io
import os
import random
import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio import similarity
from harness.chaos.oracle import Belongs, foretold, judge
from harness.chaos.traffic import Traffic
from harness.clips import write_clip
from harness.platform import COMMAND
from tests.chaos.conftest import NewPlatform
from tests.chaos.schedule import Schedule, draw
from tests.chaos.stack import Stack
from tests.chaos.storm import Storm

FIRST_SEED = int(os.environ.get("CHAOS_SEED", "1"))
SEEDS = 1 if "CHAOS_SEED" in os.environ else int(os.environ.get("CHAOS_SEEDS", "20"))


def weather(stack: Stack, traffic: Traffic, schedule: Schedule, belongs: Belongs = foretold) -> None:
    print(schedule)  # noqa: T201 - pytest shows it where the test fails: CHAOS_SEED replays it
    storm = Storm(stack, traffic.platform, traffic, schedule)
    try:
        findings = storm.run()
    finally:
        traffic.platform.close()
    findings += judge(traffic.platform, traffic.sent, traffic.sources, belongs)
    assert findings == []
    assert storm.gave_up == []


@pytest.fixture
def new_traffic(stack: Stack, new_platform: NewPlatform) -> Callable[[int], Traffic]:
    def make(seed: int) -> Traffic:
        platform = new_platform(f"127.0.0.1:{stack.kafka_port}", f"127.0.0.1:{stack.minio_port}")
        return Traffic(platform, random.Random(seed))

    return make


def test_short_storm(stack: Stack, new_traffic: Callable[[int], Traffic]) -> None:
    """Every kind of fault, among 100 records: none lost, none twice, every stem whole and its own, lag 0."""
    traffic = new_traffic(FIRST_SEED)
    traffic.add_sources(20)
    weather(stack, traffic, draw(FIRST_SEED, requests=100, length_s=25.0, faults=9))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_long_storm(stack: Stack, new_traffic: Callable[[int], Traffic], seed: int) -> None:
    """The same for 500 records and some thirty faults, seed after seed."""
    traffic = new_traffic(seed)
    traffic.add_sources(20)
    weather(stack, traffic, draw(seed, requests=500, length_s=70.0, faults=30))


@pytest.mark.long
def test_storm_with_the_real_separator(
    stack: Stack, new_traffic: Callable[[int], Traffic], model_path: Path, tmp_path: Path
) -> None:
    """Fewer records and faults, real songs and networks: the same, and a song's stems add up to that song."""
    traffic = new_traffic(FIRST_SEED)
    platform = traffic.platform
    platform.replica_command = [*COMMAND, "run"]
    platform.environment = {**platform.environment, "MODEL_PATH": str(model_path)}
    for number in range(5):
        song = write_clip(tmp_path / f"song-{number}.wav", seconds=3.0 + number, seed=number)
        traffic.add_source(song.name, song.read_bytes())
    weather(stack, traffic, draw(FIRST_SEED, requests=60, length_s=60.0, faults=14), adds_up)


def adds_up(source: bytes, stems: Mapping[str, bytes]) -> bool:
    """Spleeter's masks share a song out, below 11 kHz: the sum of its stems is much like it, and as long."""
    song, parts = samples(source), [samples(data) for data in stems.values()]
    if set(stems) != {"vocals", "accompaniment"} or any(part.shape != song.shape for part in parts):
        return False
    return similarity(np.sum(parts, axis=0), song) > 0.9


def samples(data: bytes) -> NDArray[np.float32]:
    with wave.open(io.BytesIO(data)) as audio:
        pcm = np.frombuffer(audio.readframes(audio.getnframes()), np.int16)
    return pcm.reshape(-1, 2).astype(np.float32) / 32768
