"""A backlog of songs through one replica, through a naive consumer, and through the bare engine: the same songs.

Each is warm, and the time is that between the end of the first song and the end of the last.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.arena import PARTITIONS, ROOT, Arena, Sender, reading
from bench.material import tools, write_models, write_song
from bench.measure import engine, run
from harness.platform import Platform

SONGS, SONG_S = 9, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Seconds a song."""

    engine_s: float
    replica_s: float
    naive_s: float


def measure(arena: Arena, rounds: int) -> Backlog:
    """The median of so many rounds, in which the three take turns."""
    songs = [write_song(arena.folder / f"song-{n}.mp3", SONG_S, seed=n) for n in range(SONGS)]
    models = write_models(arena.folder / "models")
    found: dict[str, list[float]] = {"engine": [], "replica": [], "naive": []}
    for _ in range(rounds):
        found["engine"].append(_engine(arena.folder / "engine-out", songs, models))
        found["replica"].append(_replica(arena, songs, models))
        found["naive"].append(_naive(arena, songs, models))
    medians = {f"{name}_s": statistics.median(seconds) for name, seconds in found.items()}
    return Backlog(**medians)


def _engine(folder: Path, songs: Sequence[Path], models: Path) -> float:
    environment = {**os.environ, "MODEL_PATH": str(models), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = engine("files:native", "2stems", ",".join(map(str, songs)), str(folder))
    return run(command, environment).seconds["job"]


def _replica(arena: Arena, songs: Sequence[Path], models: Path) -> float:
    with arena.platform(models) as platform:
        platform.start_replica().wait_ready()
        return _seconds_a_song(platform, songs)


def _naive(arena: Arena, songs: Sequence[Path], models: Path) -> float:
    with arena.platform(models) as platform, _naive_consumer(platform.environment, arena.folder):
        return _seconds_a_song(platform, songs)


def _seconds_a_song(platform: Platform, songs: Sequence[Path]) -> float:
    sender = Sender(platform)
    requests = []
    for song in songs:
        with song.open("rb") as data:
            requests.append(sender.prepare_for(data, song.stat().st_size, song.suffix))
    with reading(platform) as reader:
        for number, request in enumerate(requests):
            sender.send(request, number % PARTITIONS)
        reader.wait([request.request_id for request in requests])
        ends = sorted(times[0] for times in reader.arrived_at.values())
        assert not reader.dead, reader.dead
    return (ends[-1] - ends[0]) / (len(ends) - 1)


@contextmanager
def _naive_consumer(environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    path = f"{tools(folder / 'bin')}:{environment['PATH']}"
    with (folder / "naive.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.naive"],
            env={**environment, "PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield
        finally:
            ended_by_itself = process.poll() is not None
            process.kill()
            process.wait(60)
            if ended_by_itself:
                raise SystemExit((folder / "naive.log").read_text()[-2000:])
