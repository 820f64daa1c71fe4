"""Neither TensorFlow nor Spleeter is needed: with both out of reach a song is separated."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.clips import write_clip
from harness.files import decode_file

DEMO = Path(__file__).parents[2] / "demo" / "weights"

# The command, in a Python that finds neither, nor what only they bring.
BLOCKED = """
import sys
from importlib.abc import MetaPathFinder
class Blocked(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("tensorflow", "spleeter", "keras", "pandas", "norbert"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
from consumer.cli import main
sys.argv = ["spleeter-consumer", *sys.argv[1:]]
main()
"""


def command(*arguments: str, runtime: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "MODEL_PATH": str(DEMO), "MODEL_SOURCES": "none"}
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments],
        env=environment | {"SEPARATOR_RUNTIME": runtime},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("runtime", ["native", "openvino"])
def test_a_song_is_separated(runtime: str, tmp_path: Path) -> None:
    """Into its stems, none of which is silent."""
    song = write_clip(tmp_path / "song.wav", seconds=2.0, seed=1)
    done = command("separate", str(song), "-o", str(tmp_path / "out"), runtime=runtime)
    assert done.returncode == 0, done.stderr
    stems = {path.name: decode_file(path) for path in (tmp_path / "out" / "song").iterdir()}
    assert stems.keys() == {"vocals.wav", "accompaniment.wav"}
    assert {samples.shape for samples in stems.values()} == {decode_file(song).shape}
    assert any(abs(samples).max() > 0.01 for samples in stems.values())


def test_where_tensorflow_is_asked_for_one_line_says_that_it_is_missing(tmp_path: Path) -> None:
    """And not a traceback."""
    song = write_clip(tmp_path / "song.wav", seconds=1.0, seed=1)
    done = command("separate", str(song), "-o", str(tmp_path / "out"), runtime="tensorflow")
    assert done.returncode == 1
    assert "tensorflow is not installed" in done.stderr
    assert "Traceback" not in done.stderr
