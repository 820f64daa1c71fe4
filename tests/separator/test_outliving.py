"""A replica that is killed from one moment to the next leaves nothing that somebody has taken over."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from consumer.separator import seccomp, syscalls
from tests.separator import lingering
from tests.separator.jobs import PATIENCE_S, pids_with, wait_until_none
from tests.separator.test_attacks import IS_ROOT, ROOT, USERS, python_for


@pytest.fixture(params=USERS)
def user(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def folder(user: int) -> Iterator[Path]:
    """That this user owns, where every user may go."""
    root = Path(tempfile.mkdtemp(prefix="attack-"))
    (root / "job").mkdir()
    (root / "secret").write_text("secret")
    if IS_ROOT:
        for path in (root, *root.iterdir()):
            os.chown(path, user, user)
    yield root / "job"
    shutil.rmtree(root)


def start(folder: Path, user: int, targets: Mapping[str, object]) -> "subprocess.Popen[bytes]":
    """What holds a separator as a replica does; it is given these targets as its job."""
    python, path = python_for(user), folder / "targets.json"
    path.write_text(json.dumps({"secret": str(folder.parent / "secret"), **targets}))
    program = folder / "ffmpeg"
    program.touch(0o755)
    for given in (path, program) if IS_ROOT else ():
        os.chown(given, user, user)
    return subprocess.Popen(
        [python, "-m", "tests.separator.attacked", "separator", str(path), str(program)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        user=user if IS_ROOT else None,
        group=user if IS_ROOT else None,
        extra_groups=[] if IS_ROOT else None,
        start_new_session=True,
    )


@pytest.mark.attack
@pytest.mark.parametrize("place", ["separator", "ffmpeg"])
def test_nothing_outlives_a_replica_that_is_killed(folder: Path, user: int, place: str) -> None:
    """Whatever somebody starts, who has taken over a separator, and whatever signals and pipes that is deaf to; and who
    has taken over an ffmpeg can start nothing, and ends too."""
    ways = {"itself"} | (lingering.WAYS if place == "separator" else set())
    column = seccomp.machine().column
    targets = {"linger": place, "calls": {"clone": syscalls.NUMBERS["clone"][column]}}
    replica, report = start(folder, user, targets), folder / lingering.LEFT
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not report.exists() or len(report.read_text().splitlines()) < len(ways):
            assert replica.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert sorted(report.read_text().splitlines()) == sorted(ways)
        assert len(pids_with(str(folder))) >= len(ways)  # the replica is one more, who is never the same may be missed
        replica.kill()
        replica.wait(60)
        wait_until_none(str(folder))
        assert not any(pids_with(str(folder)) for _ in range(10))
    finally:
        replica.kill()
        replica.wait(60)
        for pid in pids_with(str(folder)):  # where it fails; who is never the same is met by its group alone
            with contextlib.suppress(ProcessLookupError):
                os.killpg(os.getpgid(pid), signal.SIGKILL)
