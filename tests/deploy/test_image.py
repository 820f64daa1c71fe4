"""The image's recipe."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE, CPU = ROOT / "deploy/docker/Dockerfile", ROOT / "deploy/docker/tensorflow-cpu.txt"


def test_hadolint_has_nothing_to_say() -> None:
    """Nor has the shell checker in it."""
    hadolint = Path(sys.executable).with_name("hadolint")
    ran = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False, timeout=120)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stdout + ran.stderr


def test_tensorflow_is_the_one_that_is_tested() -> None:
    """The image's TensorFlow, without graphics cards, is of the locked version, each file of it by its hash."""
    locked = {
        package["name"]: package["version"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    }
    lines = CPU.read_text().split("\n", 1)[1]
    [version] = re.findall(r"^tensorflow-cpu==(\S+) \\$", lines, re.MULTILINE)
    assert version == locked["tensorflow"]
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", lines)) == len(lines.splitlines()) - 1


def test_image_is_made_of_what_the_build_may_see() -> None:
    """Whatever is copied from the folder is let through by .dockerignore, which hides all else."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    seen = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        word.removeprefix("./")
        for words in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
        for word in words.split()
    }
    assert "*" in ignored
    assert copied == seen
