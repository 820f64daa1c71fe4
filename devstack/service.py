"""One server process: started, awaited, and ended by its own process group."""

import contextlib
import errno
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PORTS = range(20_000, 32_768)
_READY_WITHIN_S = 300.0  # the machine may be busy with other things


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How a server is started, and how one knows that it answers. Its output goes to folder/log."""

    name: str
    command: Sequence[str]
    folder: Path
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> "Running":
        """Started and ready. Raises SystemExit with the end of its log where it does not get there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        running = Running(name=self.name, process=process)
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                running.kill()
                tail = (self.folder / "log").read_text(errors="replace")[-2000:]
                raise SystemExit(f"{self.name} did not get ready:\n{tail}")
            time.sleep(0.1)
        return running


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    name: str
    process: "subprocess.Popen[bytes]"

    def stop(self) -> None:
        """Ends it in good order, and by force after 20 s."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)


def free_port() -> int:
    """A port that nobody listens on, that Linux gives to no connection, and that no other process is told here as long
    as this one runs: a server that is started later, or again, still finds it free."""
    while True:
        port = random.SystemRandom().choice(_PORTS)  # whatever seed a test has set
        if _is_mine(port):
            with socket.socket() as listener, contextlib.suppress(OSError):
                listener.bind(("127.0.0.1", port))
                return port


def _is_mine(port: int) -> bool:
    """Takes a name in the kernel that goes with this process, in the same network namespace as the port itself."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0spleeter-consumer-port-{port}")
    except OSError as trouble:
        if trouble.errno == errno.EADDRINUSE:
            claim.close()
            return False  # elsewhere than on Linux there are no such names
    claim.detach()  # it stays open
    return True
