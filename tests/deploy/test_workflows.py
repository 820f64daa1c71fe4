"""The platform's CI files, by its own linter."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack import build

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+(\.\d+)*")  # tags have been moved to others' commits
MAY_WRITE = {"images": {"packages", "id-token", "attestations"}, "package": {"id-token"}, "notes": {"contents"}}


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
    """No job runs for hours or may do more than it needs, and every action is of a commit."""
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {"contents": "read"}
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"] <= 90
        for action in re.findall(r"uses: (.+)", path.read_text()):
            assert PINNED.fullmatch(action), action


def jobs() -> list[tuple[str, Any]]:
    return [each for path in WORKFLOWS for each in yaml.safe_load(path.read_text())["jobs"].items()]


@pytest.mark.attack
def test_no_step_finds_the_token_that_checked_out() -> None:
    """It is not left in the repository's configuration, where whatever a later step runs would read it."""
    checkouts = [step for _, job in jobs() for step in job["steps"] if "actions/checkout" in step.get("uses", "")]
    assert len(checkouts) >= 7
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.attack
def test_only_what_publishes_may_write() -> None:
    """Each job what it needs alone; where it says nothing it may read the sources."""
    for name, job in jobs():
        permissions = job.get("permissions", {})
        assert {right for right, level in permissions.items() if level == "write"} == MAY_WRITE.get(name, set()), name
        assert set(permissions.values()) <= {"read", "write"}


@pytest.mark.attack
@pytest.mark.parametrize(("green", "code"), [("1", 0), ("2", 0), ("0", 1), ("", 1)])
def test_a_commit_that_ci_has_not_passed_is_not_released(tmp_path: Path, green: str, code: int) -> None:
    """The first step asks for runs of CI on main at this commit that succeeded; everything else needs it."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    [step] = [step for step in workflow["jobs"]["check"]["steps"] if "CI was green" in step.get("name", "")]
    (tmp_path / "gh").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho {green}\n')
    (tmp_path / "gh").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "GITHUB_SHA": "a1b2"}
    ran = subprocess.run(
        ["bash", "-e", "-c", step["run"]], env=environment, capture_output=True, check=False, timeout=300
    )
    assert (ran.returncode != 0) == bool(code)
    asked = (tmp_path / "asked").read_text()
    assert "--workflow ci.yml --branch main --event push --commit a1b2 --status success" in asked
    for name in ("package", "images", "notes"):
        assert "check" in workflow["jobs"][name]["needs"]


@pytest.mark.attack
def test_what_installs_everything_else_is_installed_by_its_digest() -> None:
    """uv, the same wherever it is fetched; it holds all others to uv.lock."""
    pinned = (ROOT / "deploy/docker/uv.txt").read_text()
    assert re.search(r"^uv==\d+\.\d+\.\d+ \\$", pinned, re.MULTILINE)
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", pinned)) >= 10
    for name in ("Makefile", "deploy/docker/Dockerfile", ".github/workflows/release.yml"):
        installs = re.findall(r"pip install (.*)", (ROOT / name).read_text())
        of_uv = [line for line in installs if "uv" in line and "pip install --no-deps" not in line]
        assert of_uv, name
        assert all("--require-hashes -r" in line for line in of_uv), of_uv
