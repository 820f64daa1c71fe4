"""Somebody who means it: hostile files and records through the real service, and a good song behind them.

Each ends with one outcome that says the message is at fault, or as a song; nothing is reached that they point at.
"""

import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from consumer.core.errors import UNEXPECTED
from consumer.core.events import DeadLetter, SeparationResult
from harness.clips import write_clip
from harness.hostile.catalogue import catalogue
from harness.hostile.decoy import decoy
from harness.hostile.records import records
from harness.hostile.specimen import HostileFile, song
from harness.platform import Platform

pytestmark = pytest.mark.attack
_EVERY = 7  # of the files, in `make test`; `make attack` sends them all
_FORMATS = ("wav", "flac", "mp3", "m4a", "ogg", "opus")
# Of the replica and all it starts: two separators with their networks, and what each ffmpeg may have.
_MEMORY_BYTES = 4 << 30
_PATIENCE_S = 1500.0
_REPLICA = {"SEPARATOR_RUNTIME": "native", "SEPARATOR_PROCESSES": "2"}


@dataclass(slots=True)
class Memory:
    most_bytes: int = 0


@contextmanager
def watched_memory(pid: int) -> Iterator[Memory]:
    """The most that the process and its children have held at once."""
    seen, over = Memory(), threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            with suppress(psutil.NoSuchProcess):
                replica = psutil.Process(pid)
                held = 0
                for each in (replica, *replica.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        held += each.memory_info().rss
                seen.most_bytes = max(seen.most_bytes, held)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(30)


def test_hostile_files(platform: Platform, tmp_path: Path) -> None:
    """A seventh of them, of every family."""
    files = catalogue()
    send_all(platform, tmp_path, dict(itertools.islice(files.items(), 0, None, _EVERY)))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_hostile_file(platform: Platform, tmp_path: Path) -> None:
    """All of them."""
    send_all(platform, tmp_path, catalogue())


def send_all(platform: Platform, folder: Path, files: Mapping[str, HostileFile]) -> None:
    replica = platform.start_replica(**_REPLICA)
    replica.wait_ready()
    secret = folder / "decoy" / "song.wav"
    secret.parent.mkdir()
    secret.write_bytes(song("wav"))
    asked = {}
    with decoy(secret) as watched, watched_memory(replica.process.pid) as memory:
        for number, (name, file) in enumerate(files.items()):
            path = folder / "sent" / f"{number}.{name.rpartition('.')[2]}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(file.make(watched))
            output_format = _FORMATS[number % len(_FORMATS)]
            asked[platform.request(platform.upload(path), output_format=output_format).request_id] = name
        outcomes = platform.outcomes(len(files), _PATIENCE_S)
    assert sorted(asked[outcome.request_id or ""] for outcome in outcomes) == sorted(files)
    assert_none_is_our_fault(outcomes, asked)
    assert watched.touched == []
    assert memory.most_bytes < _MEMORY_BYTES
    assert_a_song_is_separated(platform, folder, len(files))


def test_hostile_records(platform: Platform, tmp_path: Path) -> None:
    """Every one, all for a song that is there: what asks for something else than that song is told so."""
    replica = platform.start_replica(**_REPLICA)
    replica.wait_ready()
    honest = platform.a_request(platform.upload(write_clip(tmp_path / "song.wav", seconds=0.3, seed=1)))
    sent = list(records(honest, platform.codec))
    with watched_memory(replica.process.pid) as memory:
        for each in sent:
            platform.send(each.value, each.name, each.headers)
        outcomes = platform.outcomes(len(sent))
    assert len(outcomes) == len(sent)
    assert_none_is_our_fault(outcomes, {})
    written = {key.rpartition("/")[2] for key in platform.objects("")}
    assert written == {"vocals.wav", "accompaniment.wav", "manifest.json"}
    assert memory.most_bytes < _MEMORY_BYTES
    assert_a_song_is_separated(platform, tmp_path, len(sent))


def assert_none_is_our_fault(outcomes: list[SeparationResult | DeadLetter], names: Mapping[str, str]) -> None:
    """What fails, fails by the message's own fault."""
    ours = [
        f"{names.get(one.request_id or '', one.request_id)}: {one.code}: {one.message}"
        for one in outcomes
        if isinstance(one, DeadLetter) and one.code in UNEXPECTED
    ]
    assert not ours, "\n".join(sorted(ours))


def assert_a_song_is_separated(platform: Platform, folder: Path, before: int) -> None:
    """By the replica that was there from the beginning, which is well."""
    request = platform.request(platform.upload(write_clip(folder / "good.wav", seconds=1.0, seed=2)))
    outcomes = platform.outcomes(before + 1)
    [good] = [outcome for outcome in outcomes if outcome.request_id == request.request_id]
    assert isinstance(good, SeparationResult)
    assert {stem.name for stem in good.stems} == {"vocals", "accompaniment"}
    [replica] = platform.replicas
    assert replica.process.poll() is None
    replica.wait_ready()
