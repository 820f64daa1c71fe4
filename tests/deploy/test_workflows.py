"""The platform's CI files, by its own linter."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from devstack import build

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def lint(text: str) -> "subprocess.CompletedProcess[str]":
    command = [str(build.actionlint_binary()), "-no-color", "-shellcheck=", "-pyflakes=", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actionlint_has_nothing_to_say(path: Path) -> None:
    """Keys, expressions, needs, permissions."""
    ran = lint(path.read_text())
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("needs: check", "needs: chek"),
        ("runs-on: ubuntu-24.04", "run-on: ubuntu-24.04"),
        ("needs.check.outputs.version", "needs.check.outputs.versoin"),
        ("packages: write", "packages: all"),
    ],
)
def test_actionlint_says_something(right: str, wrong: str) -> None:
    """Of mistakes."""
    text = (ROOT / ".github/workflows/release.yml").read_text()
    assert right in text
    assert lint(text.replace(right, wrong, 1)).returncode != 0


def test_workflows_are_bounded() -> None:
    """No job runs for hours or may do more than it needs, and every action is of a version."""
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {"contents": "read"}
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"] <= 90
        for action in re.findall(r"uses: (\S+)", path.read_text()):
            assert re.search(r"@v?\d|@release/v\d", action), action
