"""A separator process without a usable model: what is missing or damaged is reported, and used once it is whole."""

import gc
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumer.core.errors import Cancelled, Code, Rejected
from consumer.separator.child_process import ChildProcess
from consumer.separator.client import SeparatorClient
from consumer.separator.protocol import Failed, Loaded, Reply, encode
from harness.audio import music
from harness.files import encode_file
from tests.separator.jobs import PATIENCE_S, Harness, assert_works, configuration, make_harness, patience


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no-folder": shutil.rmtree,
    "no-index": lambda folder: (folder / "model.index").unlink(),
    "no-data": lambda folder: (folder / "model.data-00000-of-00001").unlink(),
    "empty-data": lambda folder: cut(folder / "model.data-00000-of-00001", 0),
    "half-the-data": lambda folder: cut(folder / "model.data-00000-of-00001", 0.5),
    "half-the-index": lambda folder: cut(folder / "model.index", 0.5),
    "a-wrong-bit-in-the-data": lambda folder: flip(folder / "model.data-00000-of-00001"),
    "another-architecture": lambda folder: (folder / "2stems.json").unlink(),
    "a-broken-configuration": lambda folder: cut(folder / "2stems.json", 0.5),
    "a-checkpoint-of-another-name": lambda folder: (folder / "checkpoint").write_text(
        'model_checkpoint_path: "other"\n'
    ),
}


@pytest.fixture(scope="module")
def modelless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Harness, Path]]:
    """A process that loads models when jobs ask for them, and its MODEL_PATH, which is empty."""
    root = tmp_path_factory.mktemp("models")
    ready = make_harness(root, models=())
    yield ready, root
    ready.client.kill()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_job_without_a_usable_model_is_refused(
    damage: Callable[[Path], object], modelless: tuple[Harness, Path], narrow_models: Path, tmp_path: Path
) -> None:
    """A model that is missing or damaged in any part is reported as such, by its name; no stem file is made."""
    separator, root = modelless
    shutil.rmtree(root / "2stems", ignore_errors=True)
    shutil.copytree(narrow_models / "2stems", root / "2stems")
    damage(root / "2stems")
    path = encode_file(tmp_path / "song.wav", music(seconds=1))
    with pytest.raises(Rejected) as refusal:
        separator.separate(path)
    assert refusal.value.code == Code.MODEL_UNAVAILABLE
    assert refusal.value.message.startswith("model 2stems: ")
    assert list(tmp_path.iterdir()) == [path]


def test_a_repaired_model_is_used(modelless: tuple[Harness, Path], narrow_models: Path, tmp_path: Path) -> None:
    """A process that had to refuse a model loads it once it is whole."""
    separator, root = modelless
    shutil.rmtree(root / "2stems", ignore_errors=True)
    with pytest.raises(Rejected, match="no checkpoint"):
        separator.separate(encode_file(tmp_path / "song.wav", music(seconds=1)))
    shutil.copytree(narrow_models / "2stems", root / "2stems")
    assert_works(separator, tmp_path / "next")


def test_a_process_without_its_models_never_gets_ready(tmp_path: Path) -> None:
    """Preparing goes on until it is cancelled, and meanwhile the status says which model is missing."""
    unready, cancel = make_harness(tmp_path), patience()

    def prepare() -> None:
        with pytest.raises(Cancelled, match="enough"):
            unready.client.prepare(cancel)

    preparing = threading.Thread(target=prepare)
    preparing.start()
    deadline = time.monotonic() + PATIENCE_S
    while "2stems" not in unready.client.status.reason and preparing.is_alive():
        assert time.monotonic() < deadline
        preparing.join(0.05)
    cancel.cancel("enough")
    preparing.join(60)
    assert unready.client.status.reason == "model 2stems: no checkpoint in 2stems/ under MODEL_PATH"
    assert not unready.client.status.ready
    unready.client.kill()


NOT_READY_TWENTY_TIMES = """
import pathlib, sys
sys.stdin.readline()
starts, failed, loaded = pathlib.Path(sys.argv[1]), *sys.argv[2:]
with starts.open("a") as file:
    file.write(".")
print(failed if starts.stat().st_size <= 20 else loaded, end="", flush=True)
sys.stdin.read()
"""


def test_processes_that_did_not_get_ready_leave_nothing_behind(tmp_path: Path) -> None:
    """However often one was started in vain, neither the cancellation nor this process holds anything of them."""
    replies: list[Reply] = [Failed(None, Code.MODEL_UNAVAILABLE, "no such model"), Loaded("2stems", 0.1)]
    arguments = (str(tmp_path / "starts"), *(encode(reply).decode() for reply in replies))
    client = SeparatorClient(
        configuration(tmp_path),
        max_audio_s=60,
        environment=os.environ,
        command=(sys.executable, "-c", NOT_READY_TWENTY_TIMES, *arguments),
        restart_delay_s=0.0,
    )
    before, cancel = len(children_held()), patience()
    try:
        client.prepare(cancel)
        assert client.status.restarts == 20
        assert not cancel._listeners
        deadline = time.monotonic() + PATIENCE_S
        while len(children_held()) > before + 1:  # those whose threads are just ending
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        client.kill()


def children_held() -> list[ChildProcess]:
    """The processes' handles that this process has in memory, without those that only await the collector."""
    gc.collect()
    return [thing for thing in gc.get_objects() if isinstance(thing, ChildProcess)]
