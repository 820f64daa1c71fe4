"""`python -m harness.dist FOLDER`: what is released, as `make dist` builds it.

The package's wheel and sdist; the kernels' sdist, and their wheel for each architecture, by the compiler that makes it.
A wheel that asks more of a system than its name says is not left there.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
BASELINE = "manylinux_2_17"  # glibc of 2012; NumPy's own wheels ask for more
# By Debian's names. One that makes nothing but its own machine's code is called without a prefix there.
COMPILERS: Mapping[str, str] = {"x86_64": "x86_64-linux-gnu-g++", "aarch64": "aarch64-linux-gnu-g++"}


def build_package(into: Path) -> None:
    """The package itself: an sdist, and the wheel that is made from it."""
    _uv("build", "--quiet", "--package", "spleeter-consumer", "--out-dir", str(into))


def build_kernels(into: Path, architecture: str) -> Path:
    """The kernels' wheel for an architecture, whose path is returned.

    Raises ValueError where it asks more of a system than BASELINE.
    """
    platform = f"{BASELINE}_{architecture}"
    compiler = COMPILERS[architecture]
    made_for = {
        "CC": compiler,
        "CXX": compiler,
        "LDSHARED": f"{compiler} -shared",
        "LDCXXSHARED": f"{compiler} -shared",
    }
    with tempfile.TemporaryDirectory() as scratch:
        # In a folder of its own: in a build folder lie the objects of the architecture before.
        sources, made = Path(scratch, "kernels"), shutil.ignore_patterns("*.so", "build", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT / "kernels", sources, ignore=made)
        _uv(
            "build", "--quiet", "--wheel", "--out-dir", scratch, "--no-build-logs",
            f"--config-setting=--build-option=--plat-name={platform}", str(sources),
            environment=made_for,
        )  # fmt: skip
        (wheel,) = Path(scratch).glob("*.whl")
        check(wheel, platform)
        into.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(wheel, into / wheel.name))


def check(wheel: Path, platform: str) -> None:
    """Raise ValueError where the wheel asks more of a system than the platform has, by what auditwheel finds in it."""
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    found = re.search(r'"manylinux_(\d+)_(\d+)_(\w+)"', shown)
    if not found or tuple(map(int, found.groups()[:2])) > _glibc(platform) or not platform.endswith(f"_{found[3]}"):
        raise ValueError(f"{wheel.name} is not what its name says: {shown}")


def _glibc(platform: str) -> tuple[int, int]:
    _, major, minor, *_ = platform.split("_")
    return int(major), int(minor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build everything anew."""
    parser = argparse.ArgumentParser(prog="python -m harness.dist", description=__doc__)
    parser.add_argument("folder", type=Path)
    into = parser.parse_args(arguments).folder
    build_package(into)
    _uv("build", "--quiet", "--package", "spleeter-kernels", "--sdist", "--out-dir", str(into))
    for architecture in COMPILERS:
        build_kernels(into, architecture)


def _uv(*arguments: str, environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(["uv", *arguments], cwd=ROOT, env=os.environ | (environment or {}), check=True, timeout=900)


if __name__ == "__main__":
    main()
