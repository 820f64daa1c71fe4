"""A separator that somebody has taken over, beside the tracks of others: it reaches its own alone."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from consumer.app.vendors import make_separators
from consumer.core.model import LocalTrack, ObjectFacts, Separation
from consumer.core.runtimes import ChosenRuntime
from consumer.pipeline.scratch import Scratch
from consumer.separator.client import SeparatorClient
from consumer.separator.sandbox import Reach, confine
from consumer.settings import Settings
from consumer.testing.replica import memory_settings
from tests.separator import intruder
from tests.separator.jobs import job, patience

pytestmark = pytest.mark.attack


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = memory_settings(tmp_path)
    return replace(settings, separator=settings.separator.model_copy(update={"separator_processes": 2}))


@pytest.fixture
def scratch(settings: Settings) -> Iterator[Scratch]:
    scratch = Scratch(settings.scratch_folder)
    scratch.claim()
    yield scratch
    scratch.release()


@pytest.fixture
def separators(settings: Settings, scratch: Scratch) -> Iterator[list[SeparatorClient]]:
    """Those of a replica, but for what they are: both were taken over."""
    runtime = ChosenRuntime(name="native", reason="nothing is computed")
    made = make_separators(settings, runtime, (sys.executable, "-m", intruder.__name__))
    try:
        for separator in made:
            separator.prepare(patience())
        yield made
    finally:
        for separator in made:
            separator.kill()


def fetched(scratch: Scratch, name: str, orders: dict[str, list[str]] | None = None) -> LocalTrack:
    """A track where Fetch lays it."""
    path = scratch.folder / f"job-{name}" / "source.wav"
    path.parent.mkdir()
    path.write_text(json.dumps(orders or {}))
    source = ObjectFacts(bucket="music", key=name, etag="e", size_bytes=1)
    return LocalTrack(job=job(), source=source, path=path, sha256="0" * 64)


def separate(scratch: Scratch, separator: SeparatorClient, track: LocalTrack) -> Separation:
    with scratch.lent(track, separator.folder) as lent:
        done = separator.separate(track.job, lent.path, cancel=patience(), on_progress=lambda done, total: None)
    return done.in_folder(track.folder)


def orders_against(folders: dict[str, Path]) -> dict[str, list[str]]:
    """To read, change and remove what lies there."""
    source = "source.wav"
    return {
        f"{what} {name}": [what, str(folder if what == "list" else folder / (source if what != "write" else "new"))]
        for name, folder in folders.items()
        for what in ("list", "read", "write", "remove")
    }


def test_other_tracks_are_out_of_reach(scratch: Scratch, separators: list[SeparatorClient]) -> None:
    """One that waits, one that another separator has, and the one that it had before, with its stems."""
    one, other = separators
    before = fetched(scratch, "before")
    stems = separate(scratch, one, before).stems
    waiting, elsewhere = fetched(scratch, "waiting"), fetched(scratch, "elsewhere")
    with scratch.lent(elsewhere, other.folder) as lent:
        folders = {"waiting": waiting.folder, "elsewhere": lent.folder, "before": before.folder}
        orders = orders_against(folders)
        orders |= {"list all": ["list", str(scratch.folder)], "read a stem": ["read", str(stems[0].path)]}
        own = {"write own": ["write", str(one.folder / "job-attack" / "own")], "list own": ["list", str(one.folder)]}
        attack = fetched(scratch, "attack", orders | own)
        separate(scratch, one, attack)
        found = json.loads((attack.folder / intruder.REPORT).read_text())
        assert {name for name in orders if not found[name].startswith("PermissionError")} == set()
        assert {name: found[name] for name in own} == dict.fromkeys(own, "")
        for folder in folders.values():
            assert (folder / "source.wav").read_text() == "{}"
            assert not (folder / "new").exists()


def test_what_it_leaves_for_later_goes_with_its_track(scratch: Scratch, separators: list[SeparatorClient]) -> None:
    """Beside its track's folder too; and its track has no more than it had."""
    one, _ = separators
    track = fetched(scratch, "first", {"write": ["write", str(one.folder / "left")]})
    stems = separate(scratch, one, track).stems
    assert list(one.folder.iterdir()) == []
    assert [stem.path.is_file() for stem in stems] == [True, True]
    assert {stem.path.parent for stem in stems} == {track.folder}
    assert track.path.is_file()


def test_what_it_holds_open_is_no_way_back(scratch: Scratch, tmp_path: Path) -> None:
    """The folder itself, held open while it is lent, leads to nothing once it is given back."""
    one = tmp_path / "one"
    one.mkdir()
    track = fetched(scratch, "held")
    held: list[object] = []
    given_back = threading.Event()

    def hold(folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        held.append("open")
        given_back.wait(60)
        try:
            held.append(os.open("source.wav", os.O_RDONLY, dir_fd=descriptor))
        except OSError as error:
            held.append(error)
        os.close(descriptor)

    with scratch.lent(track, one) as lent:
        thread = confined_to(one, lambda: hold(lent.folder))
        while not held:
            thread.join(0.01)
    given_back.set()
    thread.join(60)
    assert isinstance(held[1], PermissionError)


def confined_to(folder: Path, act: Callable[[], object]) -> threading.Thread:
    """As a separator is, in a thread of its own."""

    def run() -> None:
        assert confine(Reach(reads=(), writes=(folder,))).startswith("landlock")
        act()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
