"""Commands that are killed from one moment to the next leave nothing that somebody has taken over."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumer.separator.reaper import run_to_its_end
from harness.audio import music
from harness.files import encode_file
from tests.separator.jobs import PATIENCE_S, pids_with, wait_until_none

pytestmark = pytest.mark.attack

COMMAND = Path(sys.executable).with_name("spleeter-consumer")

# Deaf to all signals and pipes, in whichever group it can get into.
DEAF = """
import ctypes, os, signal, time
def deaf():
    for leave in (os.setsid, lambda: os.setpgid(0, 0), lambda: os.setpgid(0, os.getppid())):
        try:
            leave()
        except OSError:
            pass
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    os.closerange(0, 256)
    while True:
        time.sleep(600)
"""
# In the place of what a checkpoint is read by.
OF_A_CONVERSION = (
    DEAF
    + """
for _ in range(2):
    if not os.fork():
        deaf()
if not os.fork():
    if not os.fork():
        deaf()
    os._exit(0)
deaf()
"""
)
STAYING = 4  # two children, one of a parent that ended, and itself


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    """Of those in whose command lines it is nobody is left after a test, if that failed."""
    yield str(tmp_path)
    for pid in pids_with(str(tmp_path)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_deaf(pid: int) -> bool:
    """Whether it ignores SIGTERM by now."""
    with contextlib.suppress(OSError):
        lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
        [ignored] = [int(line.split()[1], 16) for line in lines if line.startswith("SigIgn")]
        return bool(ignored >> (signal.SIGTERM - 1) & 1)
    return False


def deaf_ones(mark: str) -> list[int]:
    return [pid for pid in pids_with(mark) if is_deaf(pid)]


def confined_python() -> Path:
    """One that a confined ffmpeg may read with all its library."""
    own = Path(sys.executable).resolve()
    for python in (own, Path("/usr/bin/python3"), Path("/usr/local/bin/python3")):
        if python.is_file() and python.resolve().is_relative_to("/usr"):
            return python
    raise AssertionError("no Python below /usr")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_command_separate(
    narrow_models: Path, tmp_path: Path, mark: str, end: signal.Signals
) -> None:
    """Not an ffmpeg either that heeds no signal and no pipe, and would leave its group."""
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text(f"#!{confined_python()} -ISB\n{DEAF}\ndeaf()\n")
    ffmpeg.chmod(0o755)
    song = encode_file(tmp_path / "songs" / "song.wav", music(seconds=1))
    environment = {"PATH": os.environ["PATH"], "MODEL_PATH": str(narrow_models), "FFMPEG_PATH": str(ffmpeg)}
    command = subprocess.Popen(
        [COMMAND, "separate", song.name, "-o", "out"],
        cwd=song.parent,
        env=environment | {"SEPARATOR_RUNTIME": "tensorflow"},
    )
    try:
        wait_for(lambda: bool(deaf_ones(str(ffmpeg))), command)
        command.send_signal(end)
        command.wait(60)
        wait_until_none(str(ffmpeg))
    finally:
        command.kill()
        command.wait(60)


@pytest.mark.parametrize("is_killed", [True, False])
def test_nothing_outlives_a_conversion(narrow_models: Path, tmp_path: Path, mark: str, is_killed: bool) -> None:
    """Nothing that was started by what reads a checkpoint, neither when its parent is killed nor when its time is over,
    which what holds its pipes does not put off."""
    folder = tmp_path / "models" / "2stems"
    folder.mkdir(parents=True)
    for path in (narrow_models / "2stems").iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    stub = tmp_path / "stub" / "google_crc32c"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text(OF_A_CONVERSION)
    code = (
        "import sys; from consumer.separator.models import conversion_cache as cache; from pathlib import Path;"
        f"cache.CONVERSION_S = {600.0 if is_killed else 20.0};"
        "cache.convert_into(open(sys.argv[2], 'wb'), '2stems', Path(sys.argv[1]))"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(tmp_path / "out")],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(stub.parent)},
        stderr=subprocess.PIPE,
    )
    try:
        wait_for(lambda: len(deaf_ones(str(folder))) >= STAYING, host)
        if is_killed:
            host.kill()
        _, told = host.communicate(timeout=PATIENCE_S)
        assert is_killed or b"its checkpoint was not read within 20 s" in told
        wait_until_none(str(folder))
    finally:
        host.kill()
        host.wait(60)


def test_what_is_told_without_end_is_not_kept(tmp_path: Path) -> None:
    """What reads a checkpoint may fill no memory but its own: the last of its words are kept."""
    code = "import os\nfor _ in range(1000): os.write(2, b'x' * 65536)\nos.write(2, b'the end'); os._exit(3)"
    with (tmp_path / "out").open("wb") as out:
        ended = run_to_its_end([sys.executable, "-c", code], stdout=out, environment={}, within_s=60.0)
    assert (ended.code, ended.is_late) == (3, False)
    assert ended.last_words.endswith(b"the end")
    assert len(ended.last_words) <= 1 << 16
