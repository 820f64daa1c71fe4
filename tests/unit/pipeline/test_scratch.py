"""Room in scratch space: who gets it, and who waits. The disk is a number; files are real."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from consumer.core.errors import ScratchUnavailable
from consumer.pipeline.scratch import MARGIN_BYTES, Scratch


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Its `free` is what the disk has, in bytes."""
    found = SimpleNamespace(free=MARGIN_BYTES + 100, total=MARGIN_BYTES + 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: found)
    return found


def test_room_is_given_once(disk: SimpleNamespace, tmp_path: Path) -> None:
    """Two tracks that are fetched at once don't count on the same bytes; what one gives back the other gets."""
    scratch = Scratch(tmp_path)
    with scratch.reserved(60):
        with pytest.raises(ScratchUnavailable, match="SCRATCH_DIR"), scratch.reserved(41):
            pass
        with scratch.reserved(40):
            pass
    with scratch.reserved(100):
        pass


def test_who_found_no_room_is_waited_for(disk: SimpleNamespace, tmp_path: Path) -> None:
    """The check fails until there is room for the track that found none; then it asks for no more than a margin."""
    scratch = Scratch(tmp_path)
    scratch.check()
    with pytest.raises(ScratchUnavailable), scratch.reserved(500):
        pass
    with pytest.raises(ScratchUnavailable):
        scratch.check()
    disk.free = MARGIN_BYTES + 500
    scratch.check()
    disk.free = MARGIN_BYTES
    scratch.check()
    disk.free -= 1
    with pytest.raises(ScratchUnavailable, match="bytes are free"):
        scratch.check()


def test_what_the_disk_can_never_hold_is_known(disk: SimpleNamespace, tmp_path: Path) -> None:
    """A track is waited for only where the disk, were it empty, would take it."""
    assert Scratch(tmp_path).capacity_bytes() == 1000


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    """A check writes a file: a disk that was taken away is seen."""
    with pytest.raises(ScratchUnavailable, match="SCRATCH_DIR"):
        Scratch(tmp_path / "gone").check()
