"""Runs tests in a process that is forked for it, with the product as it is or with one module changed."""

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import pytest

# What the product and its tests need of others, imported once: a fork has it at no cost.
_WARM = ("hypothesis.stateful", "pydantic_settings", "structlog", "tenacity", "confluent_kafka.admin", "msgspec",
         "minio", "httpx", "fastavro", "prometheus_client", "psutil", "uvicorn", "typer", "numpy")  # fmt: skip
_OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=60", "--no-header",
            "-W", "ignore::pytest.PytestAssertRewriteWarning")  # fmt: skip


class Verdict(StrEnum):
    """What the tests said of a mutant."""

    KILLED = "killed"
    HUNG = "hung"
    SURVIVED = "survived"


def warm_up() -> None:
    """Import what every trial needs and no mutant changes."""
    for name in _WARM:
        importlib.import_module(name)


class Trial:
    """A run of tests in a process of its own. `poll` tells its end; nobody waits longer than limit_s."""

    def __init__(self, run: Callable[[], int], output: Path, limit_s: float) -> None:
        self._ends_at, self._output = time.monotonic() + limit_s, output
        self._pid = os.fork()
        if self._pid == 0:
            _be_the_child(run, output)

    def poll(self) -> Verdict | None:
        """None: it goes on."""
        done, status = os.waitpid(self._pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return Verdict.SURVIVED if code in (0, pytest.ExitCode.NO_TESTS_COLLECTED) else Verdict.KILLED
        if time.monotonic() < self._ends_at:
            return None
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        return Verdict.HUNG

    def output(self) -> str:
        """What it printed."""
        return self._output.read_text(errors="replace")


def _be_the_child(run: Callable[[], int], output: Path) -> None:
    code = 70
    os.environ["HYPOTHESIS_PROFILE"] = "trial"
    try:
        os.setsid()
        written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(written, 1)
        os.dup2(written, 2)
        code = run()
    except BaseException:  # noqa: BLE001 - whatever it is, this process ends with it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # whatever threads the tests have left behind


def run_tests(selected: Sequence[str], plugins: Sequence[object] = (), *options: str) -> int:
    """pytest's exit code."""
    return int(pytest.main([*_OPTIONS, *options, *selected], plugins=list(plugins)))


def use(module: str, tree: ast.Module) -> None:
    """From now on that file's module is imported with this for its source."""
    assert not any(name == "consumer" or name.startswith("consumer.") for name in sys.modules), "too late"
    sys.meta_path.insert(0, _Finder(module.removesuffix(".py").replace("/", "."), module, tree))


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, name: str, file: str, tree: ast.Module) -> None:
        self._name, self._file, self._code = name, file, compile(tree, str(Path(file).resolve()), "exec")

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, Path(self._file).resolve(), loader=self)

    def exec_module(self, module: types.ModuleType) -> None:
        exec(self._code, module.__dict__)
