"""The bill of an image holds what dpkg and Python themselves say is installed there, as CycloneDX has it."""

import importlib.metadata
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from devstack import system
from harness.image_bill import bill_of_image, contents_of_folder, contents_of_tar

_PACKAGES = Path(next(path for path in sys.path if path.endswith("site-packages")))
RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
SOURCES = {"ffmpeg": "9", "lame": "3.100"}  # of which an ffmpeg was made
# What dpkg keeps of a package that was removed, one that is on its way, and a text in many lines.
MORE = """
Package: long-gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1:2.3-4

Package: half-there
Status: install ok half-configured
Architecture: amd64
Version: 5

Package: libwords1
Status: install ok installed
Architecture: all
Version: 2:1.0~rc1+dfsg-1
Description: words
 Package: not-a-package
 .
 Version: 9
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image's files: this machine's Debian packages and some more, and the Python packages that run this."""
    system.provide({"dpkg-query": "dpkg"})
    folder = tmp_path_factory.mktemp("root")
    status = folder / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(f"{Path('/var/lib/dpkg/status').read_text().rstrip()}\n{MORE}")
    (folder / "etc").mkdir()
    (folder / "usr/lib").mkdir(parents=True)
    (folder / "usr/lib/os-release").write_text(RELEASE)
    (folder / "etc/os-release").symlink_to("../usr/lib/os-release")
    (folder / "opt/ffmpeg").mkdir(parents=True)
    (folder / "opt/ffmpeg/made.json").write_text(json.dumps({"version": "9", "sources": SOURCES}))
    for metadata in _PACKAGES.glob("*.dist-info/METADATA"):
        into = folder / "app/.venv/lib/python3.11/site-packages" / metadata.parent.name
        into.mkdir(parents=True)
        shutil.copy(metadata, into)
    return folder


@pytest.fixture(scope="module")
def bill(root: Path) -> dict[str, Any]:
    text = bill_of_image("spleeter-consumer", contents_of_folder(root))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def versions(bill: dict[str, Any], kind: str) -> set[tuple[str, str]]:
    return {(part["name"], part["version"]) for part in bill["components"] if part["purl"].startswith(f"pkg:{kind}/")}


def test_it_holds_what_dpkg_says_is_installed(root: Path, bill: dict[str, Any]) -> None:
    wanted = "${db:Status-Status} ${Package} ${Version}\n"
    shown = subprocess.run(
        ["dpkg-query", f"--admindir={root / 'var/lib/dpkg'}", "--show", "--showformat", wanted],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    installed = {tuple(line.split()[1:]) for line in shown.splitlines() if line.startswith("installed ")}
    assert ("libwords1", "2:1.0~rc1+dfsg-1") in installed
    assert len(installed) > 20
    assert versions(bill, "deb") == installed
    [words] = [part for part in bill["components"] if part["name"] == "libwords1"]
    assert words["purl"] == "pkg:deb/debian/libwords1@2:1.0~rc1%2Bdfsg-1?arch=all&distro=debian-12"


def test_it_holds_what_python_finds(root: Path, bill: dict[str, Any]) -> None:
    found = importlib.metadata.distributions(path=[str(root / "app/.venv/lib/python3.11/site-packages")])
    wanted = {(re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower(), each.version) for each in found}
    assert len(wanted) > 50
    assert versions(bill, "pypi") == wanted


def test_it_holds_what_ffmpeg_is_made_of(bill: dict[str, Any]) -> None:
    assert versions(bill, "generic") == set(SOURCES.items())


def test_it_is_the_same_of_a_tar(root: Path, bill: dict[str, Any]) -> None:
    """As `docker export` writes one, whose names have no dot before them, and as `tar` does."""
    for before in ("", "./"):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path in root.rglob("*"):
                archive.add(path, before + path.relative_to(root).as_posix(), recursive=False)
        packed.seek(0)
        of_tar = json.loads(bill_of_image("spleeter-consumer", contents_of_tar(packed)))
        assert of_tar["components"] == bill["components"]
        assert of_tar["serialNumber"] == bill["serialNumber"]


def test_an_image_that_tells_of_nothing_has_no_bill(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="there is no var/lib/dpkg/status"):
        bill_of_image("an-image", contents_of_folder(tmp_path))
