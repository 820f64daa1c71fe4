"""What is needed of the system: packages, by apt where we are root; uv. Asked for in one line elsewhere."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path


def provide(packages: Mapping[str, str]) -> None:
    """packages: command → Debian package that brings it. Raises SystemExit with what to install."""
    if not _missing(packages):
        return
    with (Path(tempfile.gettempdir()) / "spleeter-consumer-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes, and apt does not wait for itself
        _install(_missing(packages))


def uv() -> str:
    """uv, also where only `make` has it. Raises SystemExit with what to do."""
    own = Path(__file__).parents[1] / ".tools/bin/uv"
    found = shutil.which("uv") or shutil.which(own)
    if not found:
        raise SystemExit("uv is needed: `make sync` installs it")
    return found


def _missing(packages: Mapping[str, str]) -> list[str]:
    return sorted({package for command, package in packages.items() if not shutil.which(command)})


def _install(missing: list[str]) -> None:
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit(f"please install, and try again: {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        ran = subprocess.run(
            ["apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=600", *step],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=3600,
        )  # fmt: skip
        if ran.returncode:
            raise SystemExit(f"apt-get {step[0]} failed:\n{ran.stdout}{ran.stderr}")
