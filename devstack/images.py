"""The images that the Dockerfile and the Compose file name, made on this machine, where none can be pulled.

A name stands for the real server in packaging of our own (see images/Dockerfile). One that is there already and of the
same recipe is left alone.
"""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from devstack import build, system
from devstack.engine import Engine

_ROOT = Path(__file__).parents[1]
_RECIPES = Path(__file__).with_name("images")
_LABEL = "spleeter-consumer.recipe"
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def make_images(engine: Engine, names: Mapping[str, str]) -> None:
    """names: a target of images/Dockerfile → the image's name."""
    recipe = _digest(_RECIPES)
    if engine.label(_base_name(), _LABEL) != _digest([Path(__file__)]):
        _make_base(engine)
    missing = {target: name for target, name in names.items() if engine.label(name, _LABEL) != recipe}
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        context = Path(shutil.copytree(_RECIPES, folder, dirs_exist_ok=True))
        shutil.copytree(build.kafka_libs(), context / "kafka/libs")
        shutil.copytree(build.registry_app(), context / "registry")
        for target, name in missing.items():
            engine.docker(
                "build", "--network", "host", "--target", target, "--label", f"{_LABEL}={recipe}", "--tag", name, folder
            )


def _base_name() -> str:
    [name] = re.findall(r"^FROM (\S+) AS base$", (_ROOT / "deploy/docker/Dockerfile").read_text(), re.MULTILINE)
    return str(name)


def _make_base(engine: Engine) -> None:
    """Debian with its Python, in place of the official image of the same Python and the same Debian."""
    system.provide({"debootstrap": "debootstrap"})
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=ca-certificates,python3,python3-venv", "bookworm", folder],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=3600,
        )  # fmt: skip
        if made.returncode:
            raise SystemExit(f"debootstrap failed:\n{made.stdout[-2000:]}{made.stderr}")
        Path(folder, "etc/apt/apt.conf.d/docker-clean").write_text(
            'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
        )
        shutil.copyfile(Path("/", _CERTIFICATES), Path(folder, _CERTIFICATES))  # a machine may trust more than Debian
        excluded = [
            f"--exclude=./{path}" for path in ("proc/*", "sys/*", "var/cache/apt/archives/*.deb", "var/lib/apt/lists/*")
        ]
        changes = [
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            f"ENV PIP_CERT=/{_CERTIFICATES} SSL_CERT_FILE=/{_CERTIFICATES}",
            f"LABEL {_LABEL}={_digest([Path(__file__)])}",
        ]
        with subprocess.Popen(["tar", "-C", folder, *excluded, "-c", "."], stdout=subprocess.PIPE) as packed:
            engine.docker("import", *(f"--change={change}" for change in changes), "-", _base_name(), feed=packed)


def _digest(paths: Path | Iterable[Path]) -> str:
    files = sorted(paths.rglob("*")) if isinstance(paths, Path) else paths
    digest = hashlib.sha256()
    for path in files:
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
