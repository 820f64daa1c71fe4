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


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A track's file, in a folder of its own; it takes 4096 bytes of the disk."""
    path = tmp_path / "job" / "source.wav"
    path.parent.mkdir()
    path.write_bytes(bytes(4096))
    assert path.stat().st_blocks * 512 == 4096
    return path


@pytest.mark.attack
def test_stems_that_do_not_fit_are_told_of_before_they_are_written(
    disk: SimpleNamespace, tmp_path: Path, source: Path
) -> None:
    """To the byte: what is free can be promised, once, and one byte more is waited for."""
    scratch = Scratch(tmp_path)
    with scratch.room_beside(source) as room:
        room.reserve(100)
        room.reserve(100)
        with pytest.raises(ScratchUnavailable, match="SCRATCH_DIR"):
            room.reserve(101)
        with pytest.raises(ScratchUnavailable), scratch.reserved(1):
            pass
    with scratch.reserved(100):
        pass


def test_stems_that_are_written_count_once(disk: SimpleNamespace, tmp_path: Path, source: Path) -> None:
    """What was promised and has been written is no longer free, and no longer owed."""
    disk.free = MARGIN_BYTES + 10_000
    scratch = Scratch(tmp_path)
    with scratch.room_beside(source) as room:
        room.reserve(9000)
        source.with_name("vocals.wav").write_bytes(bytes(8192))
        disk.free -= 8192
        with scratch.reserved(1000):
            pass
        with pytest.raises(ScratchUnavailable), scratch.reserved(1001):
            pass
        room.reserve(10_000)
        with pytest.raises(ScratchUnavailable):
            room.reserve(10_001)


def test_stems_have_at_most_what_their_source_leaves(disk: SimpleNamespace, tmp_path: Path, source: Path) -> None:
    """What can never be there is known: the disk, were it empty, without the track's own file."""
    disk.total = MARGIN_BYTES + 5000
    with Scratch(tmp_path).room_beside(source) as room:
        assert room.most_bytes == 5000 - 4096


def test_a_folder_that_is_being_removed_owes_what_it_was_promised(
    disk: SimpleNamespace, tmp_path: Path, source: Path
) -> None:
    """A cancelled track's folder may go at any moment."""
    scratch = Scratch(tmp_path)
    with scratch.room_beside(source) as room:
        room.reserve(60)
        shutil.rmtree(source.parent)
        with pytest.raises(ScratchUnavailable), scratch.reserved(41):
            pass


@pytest.mark.attack
def test_a_limit_of_ones_own_counts_what_lies_there(disk: SimpleNamespace, tmp_path: Path, source: Path) -> None:
    """SCRATCH_MAX_BYTES, as of a volume whose disk is larger: to the byte, with all that other tracks have there."""
    disk.free, disk.total = 1 << 40, 1 << 41
    folder_bytes = source.parent.stat().st_blocks * 512
    scratch = Scratch(tmp_path, max_bytes=MARGIN_BYTES + 4096 + folder_bytes + 100)
    with scratch.reserved(100), pytest.raises(ScratchUnavailable), scratch.reserved(1):
        pass
    with scratch.room_beside(source) as room:
        assert room.most_bytes == folder_bytes + 100
        room.reserve(100)
        with pytest.raises(ScratchUnavailable):
            room.reserve(101)
    source.unlink()
    with scratch.reserved(4096 + 100):
        pass
    disk.free = MARGIN_BYTES + 50
    with pytest.raises(ScratchUnavailable), scratch.reserved(51):
        pass
