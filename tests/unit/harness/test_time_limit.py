"""No test can hang for ever."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_timeout import _get_item_settings

ROOT = Path(__file__).parents[3]
_HANGS = """
import threading

def test_that_hangs():
    threading.Event().wait()

def test_that_comes_next():
    pass
"""


@pytest.mark.parametrize("way", [[], ["-n", "1"]], ids=["alone", "in a worker"])
def test_a_test_that_hangs_fails_and_the_next_one_runs(tmp_path: Path, way: list[str]) -> None:
    """Whatever a test waits for, it fails at its limit, by name, and the run goes on."""
    (tmp_path / "test_it.py").write_text(_HANGS)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    ran = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--timeout", "3", *way, str(tmp_path)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED, ran.stdout + ran.stderr
    assert "Failed: Timeout" in ran.stdout
    assert "::test_that_hangs" in ran.stdout
    assert "1 failed, 1 passed" in ran.stdout


def test_every_test_has_a_limit(request: pytest.FixtureRequest) -> None:
    """The default is in force for each test of this run that has no limit of its own."""
    default = float(request.config.getini("timeout"))
    assert 0 < default <= 120
    limits = {item.nodeid: _get_item_settings(item).timeout for item in request.session.items}
    assert [name for name, limit in limits.items() if not limit] == []
    here = next(limit for name, limit in limits.items() if name == request.node.nodeid)
    assert here == default or request.config.getoption("timeout") is not None


@pytest.mark.parametrize("folder", ["tests", "harness", "bench", "demo", "devstack"])
def test_nothing_is_waited_for_without_a_limit(folder: str) -> None:
    """A command or a thread that hangs ends what waits for it with an error, also where no test's limit is."""
    unlimited = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if ast.unparse(call.func) == "subprocess.run" or call.func.attr in ("communicate", "wait")
        if "timeout" not in {keyword.arg for keyword in call.keywords}
        if not (call.func.attr == "wait" and call.args)  # its first argument is the limit
        if ast.unparse(call.func) != "running.wait"  # an ffmpeg, which ends by its limit of processor time
    ]
    assert unlimited == []
