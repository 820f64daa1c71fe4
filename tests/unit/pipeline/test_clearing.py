"""What a separator may leave to be in the way of who cleans up."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from consumer.pipeline.clearing import remove_folder
from consumer.pipeline.scratch import Scratch
from consumer.separator.capabilities import give_up_capabilities

pytestmark = pytest.mark.attack

DEPTH = 2500  # more than Python's calls, a process's descriptors and the length of a path allow


def nest(folder: Path) -> None:
    """Folders in each other, with a file in the last."""
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


def test_folders_of_any_depth_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    nest(folder)
    remove_folder(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_replica_starts_over_folders_of_any_depth(tmp_path: Path) -> None:
    """They lie where its predecessor had its tracks; what they take is counted as far down as paths go."""
    (tmp_path / "scratch" / "job").mkdir(parents=True)
    nest(tmp_path / "scratch" / "job")
    scratch = Scratch(tmp_path / "scratch", max_bytes=1 << 40)
    with scratch.reserved(1):
        pass
    scratch.claim()
    assert list(scratch.folder.iterdir()) == []
    scratch.release()


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """They are removed, and what they lead to stays as it is."""
    folder, outside = tmp_path / "job", tmp_path / "outside"
    (folder / "inner").mkdir(parents=True)
    outside.mkdir(mode=0o755)
    (outside / "file").touch()
    for place in (folder, folder / "inner"):
        (place / "link").symlink_to(outside)
        (place / "hard").hardlink_to(outside / "file")
    remove_folder(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert outside.stat().st_mode & 0o777 == 0o755


def test_modes_are_no_obstacle(tmp_path: Path) -> None:
    """To a user whom they bind: folders that may be neither read nor changed go too."""
    folder = tmp_path / "job"
    (folder / "one" / "two" / "three").mkdir(parents=True)
    for path in (folder / "one" / "two" / "three", folder / "one" / "two", folder / "one"):
        path.chmod(0)
    with ThreadPoolExecutor(1, initializer=lambda: give_up_capabilities(kept=0)) as thread:
        with pytest.raises(PermissionError):
            thread.submit(lambda: os.listdir(folder / "one")).result()  # noqa: PTH208
        thread.submit(remove_folder, folder).result()
    assert list(tmp_path.iterdir()) == []
