"""The demonstration, whole: a replica and a gateway on an embedded broker, which knows less than a real one."""

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_a_song_goes_through_the_whole_service(tmp_path: Path) -> None:
    """Its stems are there, and it went over HTTP too."""
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=tmp_path, env={**environment, "PYTHONPATH": str(_ROOT), "MODEL_SOURCES": "none"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "state 'succeeded'" in done.stdout
    names = {path.name for path in (tmp_path / "demo-out").glob("*.wav")}
    assert names == {"song.wav", "vocals.wav", "accompaniment.wav"}
    # Such a broker has no controller, and whoever asks it for one waits in vain.
    assert "waiting for controller" not in (tmp_path / "demo-out/consumer.log").read_text()
