"""What was built, and the wheel of it."""

import json
import platform
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from harness.dist import ROOT, check
from small_ffmpeg import components
from small_ffmpeg.making import PACKAGE, put_into

pytestmark = pytest.mark.ffmpeg
GLIBC = "manylinux_2_28"


def told(program: Path, *args: str) -> str:
    ran = subprocess.run([program, "-hide_banner", *args], capture_output=True, text=True, check=True, timeout=60)
    return ran.stdout


def test_it_holds_no_more_than_its_recipe_names(built: Path) -> None:
    """By its own word: the licence, how files are reached, and what it decodes."""
    program = built / "ffmpeg"
    assert "GNU Lesser General Public" in told(program, "-L")
    assert set(told(program, "-protocols").replace("Input:", "").replace("Output:", "").split()[3:]) == set(
        components.PROTOCOLS
    )
    rows = re.findall(r"^ ([VAS]\S{5}) (\w+) ", told(program, "-decoders"), re.MULTILINE)
    pictures = {name for kind, name in rows if kind[0] == "V"}
    assert pictures == {"bmp", "gif", "mjpeg", "png", "tiff", "webp", "vp8"}  # with the last WebP packs its pictures
    assert {kind[0] for kind, _ in rows} == {"V", "A"}


def test_the_wheel_is_what_its_name_says(built: Path, tmp_path: Path) -> None:
    """It runs on its glibc, by what auditwheel finds, and holds program, licences, recipe and where the sources are."""
    put_into(PACKAGE, built)
    command = ["uv", "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(ROOT / "small_ffmpeg")]
    subprocess.run(command, check=True, timeout=600)
    (wheel,) = tmp_path.glob("*.whl")
    version = json.loads((built / "made.json").read_text())["version"]
    assert wheel.name == f"spleeter_ffmpeg-{version}-py3-none-{GLIBC}_{platform.machine()}.whl"
    check(wheel, f"{GLIBC}_{platform.machine()}")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    inside = {str(path.relative_to(built)) for path in built.rglob("*") if path.is_file()}
    assert {f"spleeter_ffmpeg/{name}" for name in inside} <= names
    assert {"spleeter_ffmpeg/licenses/ffmpeg/COPYING.LGPLv2.1", "spleeter_ffmpeg/licenses/lame/COPYING"} <= names
    into = tmp_path / "installed"
    subprocess.run(["uv", "pip", "install", "--quiet", "--target", into, wheel], check=True, timeout=600)
    assert told(into / "spleeter_ffmpeg/ffmpeg", "-version").startswith(f"ffmpeg version {version} ")
