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
# Debian's for containers: without documents, manuals and translations, but with each package's copyright.
_SLIM = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/groff/*
path-exclude /usr/share/info/*
path-exclude /usr/share/linda/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
"""


def make_images(engine: Engine, names: Mapping[str, str]) -> None:
    """names: a target of images/Dockerfile → the image's name."""
    recipe = _digest(_RECIPES)
    for base in base_names():
        if engine.label(base, _LABEL) != _digest([Path(__file__)]):
            _make_base(engine, base)
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


def base_names() -> list[str]:
    """The images of others that ours are built on, as their Dockerfiles name them."""
    recipes = [*(_ROOT / "deploy/docker").glob("*Dockerfile"), _RECIPES / "Dockerfile"]
    found = (re.findall(r"^FROM (\S+:\S+)", path.read_text(), re.MULTILINE) for path in recipes)
    return sorted({name for names in found for name in names})


def _make_base(engine: Engine, name: str) -> None:
    """Debian, slim as its own image is; or that with its Python, in place of the official image of both.

    Authorities' certificates are in it too. Raises SystemExit for the name of any other image.
    """
    system.provide({"debootstrap": "debootstrap"})
    if match := re.fullmatch(r"debian:(\w+)-slim", name):
        packages = "ca-certificates"
    elif match := re.fullmatch(r"python:\S+-slim-(\w+)", name):
        packages = "ca-certificates,python3,python3-venv"
    else:
        raise SystemExit(f"{name}: it is not known here how that image could be made")
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={packages}", match[1], folder],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=3600,
        )  # fmt: skip
        if made.returncode:
            raise SystemExit(f"debootstrap failed:\n{made.stdout[-2000:]}{made.stderr}")
        _slim(Path(folder))
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
            engine.docker("import", *(f"--change={change}" for change in changes), "-", name, feed=packed)


def _slim(root: Path) -> None:
    """Remove what Debian's images for containers leave out, now and from packages that are installed later."""
    (root / "etc/dpkg/dpkg.cfg.d/docker").write_text(_SLIM)
    for line in _SLIM.splitlines():
        kind, _, pattern = line.partition(" ")
        if kind == "path-exclude":
            for path in (root / pattern.removesuffix("/*").lstrip("/")).rglob("*"):
                if path.name != "copyright" and (path.is_symlink() or not path.is_dir()):
                    path.unlink()


def _digest(paths: Path | Iterable[Path]) -> str:
    files = sorted(paths.rglob("*")) if isinstance(paths, Path) else paths
    digest = hashlib.sha256()
    for path in files:
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
