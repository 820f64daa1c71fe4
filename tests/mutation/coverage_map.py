"""Which tests run which lines, and how long each takes: learnt from one run of all of them."""

import json
import time
from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coverage
import pytest

from tests.mutation.trial import run_items


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageMap:
    """lines: by file, by line, the tests that ran it. seconds: what each test took. Tests go by their node ids."""

    lines: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def tests_of(self, module: str, lines: Iterable[int]) -> Sequence[str]:
        """The tests that ran one of these lines, the quickest first."""
        by_line = self.lines.get(module, {})
        found = {test for line in lines for test in by_line.get(line, ())}
        return sorted(found, key=lambda test: (self.seconds[test], test))


def write_map(file: Path, modules: Collection[str], session: pytest.Session) -> int:
    """Run all tests and write down what they run of the modules. Returns how many failed."""
    watch = coverage.Coverage(data_file=None, config_file=False, include=list(modules))  # not as `make coverage` does
    recorder = _Recorder(watch)
    session.config.pluginmanager.register(recorder)
    watch.start()
    failed = run_items(session, list(session.items))
    watch.stop()
    data = watch.get_data()
    lines = {
        str(Path(measured).relative_to(Path.cwd())): {
            line: [context for context in contexts if context]
            for line, contexts in data.contexts_by_lineno(measured).items()
        }
        for measured in data.measured_files()
    }
    file.write_text(json.dumps({"lines": lines, "seconds": recorder.seconds}))
    return failed


def read_map(file: Path) -> CoverageMap:
    """What `write_map` wrote."""
    told = json.loads(file.read_text())
    lines = {name: {int(line): tests for line, tests in by.items()} for name, by in told["lines"].items()}
    return CoverageMap(lines=lines, seconds=told["seconds"])


class _Recorder:
    """A pytest plugin."""

    def __init__(self, watch: coverage.Coverage) -> None:
        self._watch = watch
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        began = time.monotonic()
        self._watch.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._watch.switch_context("")
            self.seconds[item.nodeid] = time.monotonic() - began
