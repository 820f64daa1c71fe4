"""A real clamd by the settings that are shipped."""

import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devstack import system
from devstack.service import Running, Service, free_port
from tests.deploy.compose import ROOT

SIGNATURES = ROOT / "devstack/images/clamd/test.ndb"


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that the scanner's user can reach."""
    made = Path(tempfile.mkdtemp(prefix="clamd-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def clamd(folder: Path, port: int) -> Iterator[Running]:
    """Started by the shipped file, word for word but for its folders and its port."""
    system.provide({"clamd": "clamav-daemon"})
    shutil.copy(SIGNATURES, folder)
    settings = (ROOT / "deploy/compose/clamd.conf").read_text()
    for shipped, here in (("/tmp/", f"{folder}/"), ("/var/lib/clamav", folder), ("3310", port)):
        assert shipped in settings
        settings = settings.replace(shipped, str(here))
    (folder / "clamd.conf").write_text(settings)
    (folder / "log").mkdir()
    running = Service(
        name="clamd",
        command=["clamd", "--config-file", str(folder / "clamd.conf")],
        folder=folder / "log",
        is_ready=lambda: (folder / "clamd.sock").is_socket() and answers(port),
    ).start()
    yield running
    running.stop()


def answers(port: int) -> bool:
    """As the image's health check asks."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"PING\n")
            return connection.recv(16) == b"PONG\n"
    except OSError:
        return False


def test_it_makes_its_socket_and_is_not_root(clamd: Running, port: int) -> None:
    """It comes up with the socket that is waited for, answers the health check, and runs as the user that is named."""
    assert answers(port)
    user = psutil.Process(clamd.process.pid).uids()
    if os.geteuid() == 0:
        assert set(user) == {pwd.getpwnam("clamav").pw_uid}
    assert 0 not in user
