"""Runs some of the collected tests in a forked process, with the product as it is or with one function changed."""

import contextlib
import importlib
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
from _pytest.main import pytest_runtestloop

from tests.mutation.mutants import Mutant


class Verdict(StrEnum):
    """What the tests said of a mutant."""

    KILLED = "killed"
    HUNG = "hung"
    SURVIVED = "survived"


class Trial:
    """Something that goes on in a process of its own. `poll` tells its end; nobody waits longer than limit_s.

    run: gives the process's exit code, 0 where no test failed. What it prints goes to the file `output`.
    """

    def __init__(self, run: Callable[[], int], output: Path, limit_s: float) -> None:
        self._ends_at, self._output = time.monotonic() + limit_s, output
        self._pid = os.fork()
        if self._pid == 0:
            _be_the_child(run, output)

    def poll(self) -> Verdict | None:
        """None: it goes on."""
        done, status = os.waitpid(self._pid, os.WNOHANG)
        if done:
            return Verdict.KILLED if os.waitstatus_to_exitcode(status) else Verdict.SURVIVED
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


def run_items(session: pytest.Session, items: Sequence[pytest.Item]) -> int:
    """Run these tests of a session until one fails. Returns how many failed."""
    session.items[:] = items
    session.config.option.maxfail = 1
    with contextlib.suppress(session.Failed):
        pytest_runtestloop(session)
    return session.testsfailed


def put_in_place(mutant: Mutant) -> None:
    """Change that one function in this process: whoever holds it runs the mutant from now on."""
    module = importlib.import_module(mutant.module.removesuffix(".py").replace("/", "."))
    code: types.CodeType = compile(mutant.tree, str(Path(mutant.module).resolve()), "exec")
    holder: object = module
    for name in mutant.owner.split("."):
        code = next(each for each in code.co_consts if isinstance(each, types.CodeType) and each.co_name == name)
        found = vars(holder)[name]
        if not isinstance(found, type):
            break  # what lies further in is part of its code
        holder = found
    function = _function_of(found)
    if len(code.co_freevars) == len(function.__code__.co_freevars):
        function.__code__ = code
    else:  # it needs its class no more
        assert isinstance(holder, type)
        setattr(holder, name, types.FunctionType(code, function.__globals__, name, function.__defaults__))


def _function_of(found: object) -> types.FunctionType:
    """What a property or a decorator was made of."""
    function = found.fget if isinstance(found, property) else getattr(found, "__wrapped__", found)
    assert isinstance(function, types.FunctionType), found
    return function
