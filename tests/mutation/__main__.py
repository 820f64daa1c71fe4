"""Changes the product one small way at a time, and fails where the tests don't notice and nobody has explained why.

Each mutant meets the tests that run its line, in a process of its own, the quickest test first. Those that survive are
compared with `survivors.toml`, where each that may live has its reason. Both a survivor that is not there and an entry
that does not survive any more fail the run.
"""

import argparse
import shutil
import sys
import tempfile
import time
import tomllib
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.coverage_map import CoverageMap, read_map, write_map
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.trial import Trial, Verdict, run_tests, use, warm_up

_DELIVERY = "dispatcher assignments assignment commit_queue start_counter start_counts watermark committer poll_loop"
_PIPELINE = "retry failure_policy crash_guard completion separation stage_runner walk fair_lock"
MODULES = [
    *(f"consumer/delivery/{name}.py" for name in _DELIVERY.split()),
    *(f"consumer/pipeline/{name}.py" for name in _PIPELINE.split()),
    "consumer/app/watchdog.py",
]
TESTS = [
    "tests/unit/delivery", "tests/unit/pipeline", "tests/unit/app",
    "tests/property/test_watermark.py", "tests/property/test_dispatcher.py", "tests/property/test_retry.py",
    "tests/property/test_delivery.py",
]  # fmt: skip
SURVIVORS = Path(__file__).with_name("survivors.toml")
_LIMIT_S, _SLOWER = 60.0, 4.0  # a trial may take so many times as long as its tests took, and a minute more
_LOOK_S = 0.02


def main() -> int:
    """0: every mutant is killed or explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", default=MODULES, help="files to change; else all that are listed here")
    parser.add_argument("-n", "--processes", type=int, default=3, help="trials side by side; they mostly wait")
    parser.add_argument("-k", "--only", default="", help="only mutants whose name contains this")
    arguments = parser.parse_args()
    warm_up()
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        mutants = [mutant for module in arguments.modules for mutant in mutants_of(module, Path(module).read_text())]
        mutants = [mutant for mutant in mutants if arguments.only in mutant.name]
        learnt = _learn(folder, arguments.modules)
        verdicts = _Run(mutants, learnt, folder, arguments.processes).verdicts()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _tell(verdicts, is_all=not arguments.only)


def _learn(folder: Path, modules: Sequence[str]) -> CoverageMap:
    """Every test passes as long as nothing is changed, and which lines it runs."""
    file = folder / "map.json"
    learning = Trial(lambda: write_map(file, modules, TESTS), folder / "output", 1200.0)
    while (verdict := learning.poll()) is None:
        time.sleep(_LOOK_S)
    if verdict is not Verdict.SURVIVED:
        sys.exit(f"the tests fail with nothing changed:\n{learning.output()[-3000:]}")
    return read_map(file)


class _Run:
    """All mutants through their trials, some side by side."""

    def __init__(self, mutants: Sequence[Mutant], learnt: CoverageMap, folder: Path, processes: int) -> None:
        self._waiting, self._learnt, self._folder = deque(mutants), learnt, folder
        self._processes, self._total = processes, len(mutants)
        self._running: dict[Mutant, Trial] = {}
        self._verdicts: dict[Mutant, Verdict] = {}

    def verdicts(self) -> dict[Mutant, Verdict]:
        while self._waiting or self._running:
            while self._waiting and len(self._running) < self._processes:
                mutant = self._waiting.popleft()
                self._running[mutant] = self._begin(mutant)
            for mutant, trial in list(self._running.items()):
                if verdict := trial.poll():
                    del self._running[mutant]
                    self._verdicts[mutant] = verdict
                    self._say(mutant, verdict)
            time.sleep(_LOOK_S)
        return self._verdicts

    def _begin(self, mutant: Mutant) -> Trial:
        tests = self._learnt.tests_of(mutant.module, range(mutant.first_line, mutant.last_line + 1))

        def run() -> int:
            use(mutant.module, mutant.tree)
            return run_tests(tests) if tests else 0

        seconds = sum(self._learnt.seconds[test] for test in tests)
        number = self._total - len(self._waiting)
        return Trial(run, self._folder / f"output-{number}", _LIMIT_S + _SLOWER * seconds)

    def _say(self, mutant: Mutant, verdict: Verdict) -> None:
        if verdict is Verdict.SURVIVED:
            print(f"survived: {mutant.module}:{mutant.first_line} {mutant.name}", flush=True)
        if len(self._verdicts) % 50 == 0:
            print(f"{len(self._verdicts)} of {self._total}", flush=True)


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
