"""Folders that are made for stems, and what is left of them."""

from pathlib import Path

import pytest

from consumer.separator.workplace import give_names, workplace


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_files_get_their_names_in_folders_of_their_own(tmp_path: Path) -> None:
    """In place of what was there, and the workplace goes; what else lies there stays."""
    targets = [tmp_path / "out" / "vocals" / "a.wav", tmp_path / "out" / "drums" / "a.wav"]
    targets[0].parent.mkdir(parents=True)
    targets[0].write_bytes(b"old")
    targets[0].with_name("other.wav").write_bytes(b"other")
    with workplace(targets) as folder:
        assert folder.parent == tmp_path / "out"
        files = {folder / f"{number}.wav": target for number, target in enumerate(targets)}
        for path in files:
            path.write_bytes(b"new")
        give_names(files)
    assert everything(tmp_path / "out") == ["drums", "drums/a.wav", "vocals", "vocals/a.wav", "vocals/other.wav"]
    assert {target.read_bytes() for target in targets} == {b"new"}


def test_a_failure_leaves_only_what_was_there(tmp_path: Path) -> None:
    """An empty folder that was there before is none of ours to remove."""
    (tmp_path / "out" / "empty").mkdir(parents=True)
    before = everything(tmp_path)
    targets = [tmp_path / "out" / "empty" / "a.wav", tmp_path / "out" / "deep" / "er" / "a.wav"]

    def fail() -> None:
        with workplace(targets) as folder:
            (folder / "half.part").write_bytes(b"half")
            raise RuntimeError("as a separation fails")

    with pytest.raises(RuntimeError, match="as a separation fails"):
        fail()
    assert everything(tmp_path) == before


def test_a_folder_that_can_not_be_made_leaves_no_other(tmp_path: Path) -> None:
    """A file in a folder's place stops it, and the folders that were made for the other stems go."""
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(OSError, match="file"),
        workplace([tmp_path / "new" / "a.wav", tmp_path / "file" / "x" / "a.wav"]),
    ):
        pass
    assert everything(tmp_path) == ["file"]
