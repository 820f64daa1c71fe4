"""Copies of the repository that follow recipes, and what is run in them."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from consumer.app.replica import Replica
from harness.recipes import Command, Edit, Step

ROOT = Path(__file__).parents[2]
_COMMAND_S = 600.0  # what hangs shall fail, not hang; types alone take minutes on a busy machine
_SHOWN_LINES = 60
# Of the run that this is a part of; a run within a copy is one of its own.
# Under CI, pytest's last lines would be whole failures, pages long, instead of a line for each.
_NOT_INHERITED = ("PYTEST_", "COV_", "COVERAGE_", "CI", "BUILD_NUMBER")


class StepFailed(AssertionError):
    """A command ended with another code than 0; the message has the end of what it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """The repository's files in a folder of their own, which `consumer` is imported from whatever is installed."""

    root: Path

    def run(self, line: str) -> str:
        """What the command prints, run by a shell in the copy's root. Raises StepFailed."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        environment = inherited | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.root),
            "PYTEST_ADDOPTS": "-x -q -p no:cacheprovider",
        }
        # What is compiled once is taken along by each copy, instead of being compiled by every command in it.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )
        if done.returncode != 0:
            shown = "\n".join(done.stdout.splitlines()[-_SHOWN_LINES:])
            raise StepFailed(f"`{line}` ended with code {done.returncode}:\n{shown}")
        return done.stdout

    def follow(self, steps: Sequence[Step]) -> None:
        """Make the edits and run the commands, in order. Raises StepFailed, UnusableRecipe."""
        for step in steps:
            match step:
                case Edit():
                    step.apply(self.root)
                case Command():
                    self.run(step.line)

    def package(self) -> Path:
        """The folder that Python imports `consumer` from in the copy."""
        return Path(self.run("python -c 'import consumer; print(consumer.__file__)'").strip()).parent

    def lint(self, steps: Sequence[Step]) -> None:
        """Style and types of what the steps edit, and who imports whom. Raises StepFailed."""
        edited = {step.path for step in steps if isinstance(step, Edit) and step.path.endswith(".py")}
        self.run(f"ruff check {' '.join(edited)} && ruff format --check {' '.join(edited)}")
        self.run("lint-imports")
        if typed := " ".join(path for path in edited if path.startswith("consumer/")):
            self.run(f"mypy {typed}")


def copy_repository(to: Path) -> Copy:
    """All that is tracked, or would be, as it is now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, timeout=_COMMAND_S, check=True,
    )  # fmt: skip
    for name in listed.stdout.split("\0"):
        if name and os.path.lexists(ROOT / name):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name, follow_symlinks=False)
    return Copy(root=to)


def command(*words: str, code: int = 0, **variables: str) -> "subprocess.CompletedProcess[str]":
    """`spleeter-consumer` of the copy that this runs in, which has to end with that code."""
    done = subprocess.run(
        [sys.executable, "-c", "from consumer.cli import main; main()", *words],
        env=os.environ | {"COLUMNS": "200", "TERM": "dumb"} | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        check=False,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


@contextmanager
def running(replica: Replica) -> Iterator[None]:
    """The replica works within this, and has ended behind it."""
    thread = threading.Thread(target=replica.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        replica.stop("the test is over")
        thread.join(_COMMAND_S)
        assert not thread.is_alive()
