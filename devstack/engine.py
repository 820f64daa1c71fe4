"""A Docker Engine of our own, for as long as it is used: whatever else runs on this machine is none of its business.

It makes no bridge and touches no firewall rules, so containers reach each other and are reached by published ports,
but have no way out. Images and layers are kept in the cache.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devstack import build, system
from devstack.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """`environment` is what makes docker and Compose speak to it."""

    socket: Path

    @property
    def environment(self) -> dict[str, str]:
        # The builder that comes with it: the other one would have to be pulled.
        return {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_BUILDKIT": "0"}

    def docker(self, *arguments: str, feed: "subprocess.Popen[bytes] | None" = None) -> str:
        """What a docker command prints. Raises SystemExit with what it complains of."""
        ran = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.environment},
            stdin=feed.stdout if feed else subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=3600,
        )
        if ran.returncode:
            raise SystemExit(
                f"docker {arguments[0]} failed:\n{(ran.stdout + ran.stderr).decode(errors='replace')[-4000:]}"
            )
        return ran.stdout.decode()

    def label(self, image: str, name: str) -> str:
        """A label of an image, '' where there is no such image."""
        try:
            return self.docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{name}"}}}}', image).strip()
        except SystemExit:
            return ""

    def remove_containers(self) -> None:
        if found := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *found)


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Started and, with everything in it, ended; one at a time on a machine, since they share the cache."""
    if os.geteuid() != 0:
        raise SystemExit("an engine of our own is started by root alone")
    system.provide({"dockerd": "docker.io", "docker": "docker.io"})
    data = build.cache() / "engine"
    own = Engine(socket=folder / "socket")
    service = Service(
        name="Docker Engine",
        command=[
            "dockerd", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none",
            "--data-root", str(data), "--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid"),
            "--host", f"unix://{own.socket}",
        ],
        folder=folder,
        is_ready=lambda: _answers(own),
    )  # fmt: skip
    with (build.cache() / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = service.start()
        try:
            own.remove_containers()  # of a run that was cut short
            yield own
            own.remove_containers()
            own.docker("image", "prune", "--force", "--filter", "until=168h")  # the rest spares building it again
        finally:
            running.stop()
            # It leaves its network namespace mounted, and the folder could not be removed.
            subprocess.run(["umount", str(folder / "exec/netns/default")], capture_output=True, check=False, timeout=10)


def _answers(own: Engine) -> bool:
    try:
        return bool(own.docker("version", "--format", "{{.Server.Version}}"))
    except SystemExit:
        return False
