"""Whoever takes over ffmpeg or a separator: what they try is refused by the kernel, for root and for other users."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

from consumer.core.errors import Fatal, WorkerCrashed
from consumer.separator import seccomp, syscalls
from consumer.separator.client import SeparatorClient
from consumer.settings import environment_without_secrets
from tests.separator import techniques
from tests.separator.jobs import PATIENCE_S, configuration, job, patience

ROOT = Path(__file__).parents[2]
IS_ROOT = os.getuid() == 0
USERS = [0, 10001] if IS_ROOT else [os.getuid()]

# Calls that do something whatever they are given, or take a program's own life; techniques try these with care.
_NOT_BLINDLY = {
    "fork", "vfork", "clone", "clone3", "execve", "kill", "vhangup", "mmap", "mprotect", "pkey_mprotect", "ioctl",
    "fcntl", "prlimit64", "setsid",
}  # fmt: skip
CALLS = sorted(
    name
    for name, numbers in syscalls.NUMBERS.items()
    if name not in _NOT_BLINDLY and numbers[seccomp.machine().column] is not None
)
# A separator starts ffmpeg and sets its limits, makes code for its networks, and uses all the memory that there is.
ONLY_FFMPEG_MAY_NOT = {
    "fork", "fork bomb", "clone", "another program", "memory", "many files", "writable code", "code of its own",
    "code made of data", "parent's limits", "parent's processors", "signal by descriptor",
    *(f"call {name}" for name in ("memfd_create", "pidfd_open", "seccomp", "landlock_create_ruleset", "tgkill")),
    *(f"call {name}" for name in syscalls.SCHEDULING if name not in ("setpriority", "ioprio_set")),
}  # fmt: skip
# ffmpeg is put into a group by its start, and can start nothing that it could put into another.
ONLY_A_SEPARATOR_MAY_NOT = {"call setpgid"}
# Kernels without these answer as the wall does, and those that let nobody ping.
SAME_EVERYWHERE = {"x32", "unknown call", "ping"}


def all_techniques() -> list[str]:
    nothing = {"all": dict.fromkeys(CALLS, 0), "port": 0, "calls": {}, "parent": 0}
    names = list(techniques._run(nothing))
    return sorted(names, key=lambda name: name == "another program")  # which comes last


NOT_TRIED: dict[str, set[str]] = {
    "ffmpeg": ONLY_A_SEPARATOR_MAY_NOT,
    "separator": ONLY_FFMPEG_MAY_NOT,
    "nowhere": set(),
}
CASES = [
    pytest.param(place, user, name, id=f"{name}-{place}-{user}")
    for place in ("ffmpeg", "separator")
    for user in USERS
    for name in all_techniques()
    if name not in NOT_TRIED[place]
]


@contextlib.contextmanager
def listeners(folder: Path) -> Iterator[dict[str, object]]:
    """Somebody to talk to on each kind of socket."""
    name, path = uuid.uuid4().hex, folder / "socket"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as named,
    ):
        abstract.bind(f"\0{name}")
        named.bind(str(path))
        path.chmod(0o777)
        for listener in (abstract, named):
            listener.listen(20)
        yield {"port": tcp.getsockname()[1], "abstract": name, "socket": str(path)}


def python_for(user: int) -> str:
    """A Python of this version that this user may run: ours may lie in root's home."""
    version = f"python3.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        with contextlib.suppress(OSError):
            if (
                subprocess.run([python, "-ISc", ""], check=False, timeout=60, user=user if IS_ROOT else None).returncode
                == 0
            ):
                return python
    raise AssertionError(f"no {version} that user {user} may run")


def run(place: str, user: int, names: list[str]) -> dict[str, int]:
    """What came of these techniques there."""
    root = Path(tempfile.mkdtemp(prefix="attack-"))
    try:
        folder, outside = root / "job", root / "outside"
        for path in (folder, outside):
            path.mkdir()
        for name, text in (("secret", "secret"), ("victim", "victim"), ("doomed", "doomed")):
            (outside / name).write_text(text)
        (folder / "planted").symlink_to(outside / "secret")
        program = root / "program"
        python = python_for(user)
        program.write_text(f"#!{python} -ISB\n{Path(techniques.__file__).read_text()}")
        program.chmod(0o755)
        column = seccomp.machine().column
        numbers = {name: numbers[column] for name, numbers in syscalls.NUMBERS.items()}
        with listeners(root) as places:
            targets = {
                **places, "names": names, "folder": str(folder), "outside": str(outside), "calls": numbers,
                "all": {name: numbers[name] for name in CALLS},
                **{name: str(outside / name) for name in ("secret", "victim", "doomed")},
            }  # fmt: skip
            (folder / "targets.json").write_text(json.dumps(targets))
            for path in (root, *root.rglob("*")):
                if IS_ROOT and not path.is_symlink():
                    os.chown(path, user, user)
            done = subprocess.run(
                [python, "-m", "tests.separator.attacked", place, str(folder / "targets.json"), str(program)],
                cwd=ROOT,
                check=False,
                capture_output=True,
                text=True,
                timeout=300,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                user=user if IS_ROOT else None,
                group=user if IS_ROOT else None,
                extra_groups=[] if IS_ROOT else None,
            )
        report = folder / techniques.REPORT
        assert report.exists(), done.stderr
        if place != "nowhere":
            assert [(outside / name).read_text() for name in ("secret", "victim")] == ["secret", "victim"]
            assert sorted(path.name for path in outside.iterdir()) == ["doomed", "secret", "victim"]
        return {name: int(number) for name, number in json.loads(report.read_text()).items()}
    finally:
        shutil.rmtree(root)


@cache
def report_of(place: str, user: int) -> dict[str, int]:
    """Of all that is tried there; of nothing, where it left traces outside: then every case fails, at once."""
    try:
        return run(place, user, [name for name in all_techniques() if name not in NOT_TRIED[place]])
    except AssertionError:
        if place == "nowhere":
            raise
        return {}


@pytest.mark.attack
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("place", "user", "name"), CASES)
def test_a_technique_is_refused(place: str, user: int, name: str) -> None:
    """It fails there, and otherwise than where nothing holds it."""
    refused = report_of(place, user).get(name, 0)  # the other program tells nothing where it runs
    assert refused != 0
    if name not in SAME_EVERYWHERE:
        assert refused != report_of("nowhere", user).get(name, 0)


@pytest.mark.attack
@pytest.mark.parametrize("then", ["stay", "go"])
def test_nothing_outlives_a_separator(tmp_path: Path, then: str) -> None:
    """Children that it left, of parents that have ended and with all its pipes open, end with it: whether it is ended
    or goes by itself, which is noticed at once although they still hold its output."""
    song = tmp_path / "song.wav"
    song.write_text(json.dumps({"leave": 3, "then": then}))
    given = msgspec.structs.replace(configuration(tmp_path / "models"), scratch=tmp_path)
    command = (sys.executable, "-m", "tests.separator.taken_over")
    client = SeparatorClient(given, max_audio_s=60.0, environment=environment_without_secrets(), command=command)
    try:
        client.prepare(patience())
        with pytest.raises(WorkerCrashed, match="exit code 0") if then == "go" else contextlib.nullcontext():
            client.separate(job(), song, cancel=patience(), on_progress=lambda done, total: None)
        left = [Path(f"/proc/{pid}") for pid in (tmp_path / "left").read_text().split()]
        assert len(left) == 3
        if then == "stay":
            assert all(path.exists() for path in left)
    finally:
        client.kill()
    deadline = time.monotonic() + PATIENCE_S
    while any(lives(path) for path in left):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lives(process: Path) -> bool:
    """Whether it runs; what nobody has waited for yet has ended all the same."""
    with contextlib.suppress(OSError):
        return "State:\tZ" not in (process / "status").read_text()
    return False


@pytest.mark.attack
@pytest.mark.parametrize("missing", ["landlock", "seccomp"])
@pytest.mark.parametrize("required", [True, False])
def test_a_missing_wall_is_told(tmp_path: Path, missing: str, required: bool) -> None:
    """Where the kernel refuses one of the two, a separator says so; where both are required it reads nothing, and
    what becomes of it is one line for the operator."""
    given = configuration(tmp_path / "models")
    given = msgspec.structs.replace(given, scratch=tmp_path, sandbox_required=required)
    command = (sys.executable, "-m", "tests.separator.without", missing, "-m", "tests.separator.taken_over")
    client = SeparatorClient(given, max_audio_s=60.0, environment=environment_without_secrets(), command=command)
    try:
        if required:
            with pytest.raises(Fatal) as ended:
                client.prepare(patience())
            assert str(ended.value).startswith(f"SANDBOX_REQUIRED: no {missing} (not in this kernel)")
            assert "\n" not in str(ended.value)
        else:
            client.prepare(patience())
        assert f"no {missing} (not in this kernel)" in client.status.sandbox
        assert client.status.ready is not required
    finally:
        client.kill()
