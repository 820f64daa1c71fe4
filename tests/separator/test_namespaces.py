"""What a separator has of its own beside its sandbox: a network, a count of threads, the first place to lack memory."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from consumer.separator.client import SeparatorClient
from consumer.settings import environment_without_secrets
from tests.separator.attacked import TOLD
from tests.separator.jobs import configuration, job, patience
from tests.separator.taken_over import SEEN
from tests.separator.test_attacks import IS_ROOT
from tests.separator.test_outliving import folder as folder
from tests.separator.test_outliving import start
from tests.separator.test_outliving import user as user

_MANY_THREADS = 1200  # beside some for each processor; far more are to be had where they are not counted


def may_have_namespaces(user: int) -> bool:
    """As another program finds out."""
    unshare = shutil.which("unshare")
    assert unshare
    own = [] if user == 0 else ["--user", "--map-current-user"]
    done = subprocess.run(
        [unshare, *own, "--net", "--ipc", "true"], check=False, user=user if IS_ROOT else None, timeout=60
    )
    return done.returncode == 0


def seen_by(folder: Path, user: int, targets: dict[str, object]) -> tuple[object, str]:
    """What a separator that was taken over saw, and what it had told of its namespaces."""
    assert start(folder, user, targets).wait(300) == 0
    return json.loads((folder / SEEN).read_text()), (folder / TOLD).read_text()


@pytest.mark.attack
def test_a_separator_is_in_no_network(folder: Path, user: int) -> None:
    """It does not even see who is connected with whom; where the kernel refuses that, it is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        seen, told = seen_by(folder, user, {"look": True})
        mark = f"0100007F:{server.getsockname()[1]:04X}"
        assert mark in Path("/proc/self/net/tcp").read_text()
    assert isinstance(seen, dict)
    ours = {kind: str(Path("/proc/self/ns", kind).readlink()) for kind in ("net", "ipc")}
    if may_have_namespaces(user):
        assert told == "network, ipc"
        assert mark not in seen["connections"]
        assert not [kind for kind in ours if seen[kind] == ours[kind]]
    else:
        assert told.startswith("none (")
        assert ours.items() <= seen.items()


@pytest.mark.attack
def test_where_memory_runs_out_a_separator_goes_first(folder: Path, user: int) -> None:
    """It, and so what it starts, has the score that the kernel's documents call the first to be ended."""
    seen, _ = seen_by(folder, user, {"look": True})
    assert isinstance(seen, dict)
    assert seen["score"] == "1000"


@pytest.mark.attack
@pytest.mark.parametrize("user", [10001 if IS_ROOT else os.getuid()], indirect=True)
def test_a_separator_has_threads_of_its_own_number(folder: Path, user: int) -> None:
    """Those that the machine can bear, whatever else its user runs there; of root they are not counted by Linux."""
    wanted = _MANY_THREADS + 40 * (os.cpu_count() or 1)
    started, told = seen_by(folder, user, {"threads": wanted})
    assert isinstance(started, int)
    assert started > 500  # which networks on a large machine may need
    if may_have_namespaces(user):
        assert told == "network, ipc"
        assert started < wanted


def test_a_kernel_that_refuses_namespaces(tmp_path: Path) -> None:
    """As most engines of containers do: jobs are done as before, also where the sandbox is required; it is told."""
    song = tmp_path / "song.wav"
    song.write_text(json.dumps({"look": True}))
    given = msgspec.structs.replace(configuration(tmp_path / "models"), scratch=tmp_path, sandbox_required=True)
    command = (sys.executable, "-m", "tests.separator.without", "namespaces", "-m", "tests.separator.taken_over")
    client = SeparatorClient(given, max_audio_s=60.0, environment=environment_without_secrets(), command=command)
    try:
        client.prepare(patience())
        client.separate(job(), song, cancel=patience(), on_progress=lambda done, total: None)
        assert client.status.namespaces == "none (Operation not permitted)"
        assert client.status.sandbox == "landlock, seccomp, limits"
    finally:
        client.kill()
