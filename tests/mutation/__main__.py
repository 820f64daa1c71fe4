"""Changes the product one small way at a time, and fails where the tests don't notice and nobody has explained why.

Each mutant meets the tests that run its lines, in a process of its own, the quickest test first. Those that survive are
compared with `survivors.toml`, where each that may live has its reason. Both a survivor that is not there and an entry
that does not survive any more fail the run.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutation.coverage_map import CoverageMap, read_map, write_map
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.trial import Trial, Verdict, put_in_place, run_items

_DELIVERY = (
    "dispatcher assignments assignment commit_queue start_counter start_counts watermark committer poll_loop "
    "reading announcement reading_counter guarded_partition guarded_source audit_outbox"
)
_PIPELINE = "retry failure_policy crash_guard completion separation stage_runner walk fair_lock trial"
MODULES = [
    *(f"consumer/delivery/{name}.py" for name in _DELIVERY.split()),
    *(f"consumer/pipeline/{name}.py" for name in _PIPELINE.split()),
]
TESTS = [
    "tests/unit/delivery", "tests/unit/pipeline", "tests/unit/app",
    "tests/property/test_watermark.py", "tests/property/test_dispatcher.py", "tests/property/test_retry.py",
    "tests/property/test_retry_headers.py", "tests/property/test_delivery.py", "tests/property/test_deaths_in_a_row.py",
]  # fmt: skip
OPTIONS = ["-qq", "--no-header", "--capture=no", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=30"]
SURVIVORS = Path(__file__).with_name("survivors.toml")
_LEARN_WITHIN_S = 1200.0
_LIMIT_S, _SLOWER = 60.0, 4.0  # a trial may take so many times as long as its tests took, and a minute more
_LOOK_S = 0.02


def main() -> int:
    """0: every mutant is killed or explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", default=MODULES, help="files to change; else all that are listed here")
    parser.add_argument("-n", "--processes", type=int, default=3, help="trials side by side; many only wait")
    parser.add_argument("-k", "--only", default="", help="only mutants whose name contains this")
    arguments = parser.parse_args()
    os.environ["HYPOTHESIS_PROFILE"] = "trial"
    mutants = [mutant for module in arguments.modules for mutant in mutants_of(module, Path(module).read_text())]
    run = MutationRun([each for each in mutants if arguments.only in each.name], arguments.modules, arguments.processes)
    try:
        code = pytest.main([*OPTIONS, *TESTS], plugins=[run])
    finally:
        run.close()
    if len(run.verdicts) < len(run.mutants):
        print(f"it did not come to its end: {code}")
        return 1
    return _tell(run.verdicts, is_all=not arguments.only)


class MutationRun:
    """A pytest plugin: once all tests are collected, it runs them for each mutant instead of once."""

    def __init__(self, mutants: Sequence[Mutant], modules: Sequence[str], processes: int) -> None:
        self.mutants, self._modules, self._processes = mutants, modules, processes
        self.verdicts: dict[Mutant, Verdict] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="mutants-"))

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of pytest's own."""
        if session.testsfailed:
            return True  # not even collected, which pytest tells
        learnt = self._learn(session)
        items = {item.nodeid: item for item in session.items}
        waiting, running = deque(self.mutants), dict[Mutant, Trial]()
        while waiting or running:
            while waiting and len(running) < self._processes:
                mutant = waiting.popleft()
                tests = learnt.tests_of(mutant.module, range(mutant.first_line, mutant.last_line + 1))
                running[mutant] = self._begin(mutant, [items[test] for test in tests], session, learnt)
            for mutant, trial in list(running.items()):
                if verdict := trial.poll():
                    del running[mutant]
                    self._note(mutant, verdict)
            time.sleep(_LOOK_S)
        return True

    def _learn(self, session: pytest.Session) -> CoverageMap:
        """Every test passes as long as nothing is changed, and which lines it runs."""
        file = self._folder / "map.json"
        learning = Trial(lambda: write_map(file, self._modules, session), self._folder / "learning", _LEARN_WITHIN_S)
        while (verdict := learning.poll()) is None:
            time.sleep(_LOOK_S)
        if verdict is not Verdict.SURVIVED:
            pytest.exit(f"the tests fail with nothing changed:\n{learning.output()[-3000:]}", returncode=1)
        return read_map(file)

    def _begin(
        self, mutant: Mutant, items: Sequence[pytest.Item], session: pytest.Session, learnt: CoverageMap
    ) -> Trial:
        def run() -> int:
            put_in_place(mutant)
            return run_items(session, items)

        seconds = sum(learnt.seconds[item.nodeid] for item in items)
        return Trial(run, self._folder / f"output-{id(mutant)}", _LIMIT_S + _SLOWER * seconds)

    def _note(self, mutant: Mutant, verdict: Verdict) -> None:
        self.verdicts[mutant] = verdict
        if verdict is Verdict.SURVIVED:
            print(f"survived: {mutant.module}:{mutant.first_line} {mutant.name}", flush=True)
        if len(self.verdicts) % 50 == 0:
            print(f"{len(self.verdicts)} of {len(self.mutants)}", flush=True)


def _tell(verdicts: dict[Mutant, Verdict], *, is_all: bool) -> int:
    explained = {(module, name) for module, reasons in tomllib.loads(SURVIVORS.read_text()).items() for name in reasons}
    survivors = {(m.module, m.name) for m, verdict in verdicts.items() if verdict is Verdict.SURVIVED}
    killed = {(m.module, m.name) for m in verdicts} - survivors
    counts = Counter(verdicts.values())
    print(f"{len(verdicts)} mutants: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict))
    modules = {mutant.module for mutant in verdicts}
    unexplained = sorted(survivors - explained)
    outdated = sorted(entry for entry in explained - survivors if entry[0] in modules and (is_all or entry in killed))
    for module, name in unexplained:
        print(f"not explained: {module}: {name}")
    for module, name in outdated:
        print(f"explained, but does not survive: {module}: {name}")
    return 1 if unexplained or outdated else 0


if __name__ == "__main__":
    sys.exit(main())
