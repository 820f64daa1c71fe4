"""Machines on which something is missing: each command works all the same, or ends in one line without a traceback."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.waiting import wait_for
from tests.unit.cli.test_cli import COMMAND, KEPT, SETTINGS

PATIENCE_S = 60


def run(
    *arguments: str, preexec: Callable[[], None] | None = None, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """The installed command, to its end; `preexec` is called in its process before it begins."""
    return subprocess.run(
        [COMMAND, *arguments], env={**KEPT, **SETTINGS, **environment}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE_S, check=False, preexec_fn=preexec,
    )  # fmt: skip


def one_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The last one, before which a replica may have logged."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_a_folder_for_prometheus_that_is_none(tmp_path: Path, kind: str) -> None:
    """`run` and `doctor` name the variable."""
    folder = tmp_path / "metrics"
    if kind == "a file":
        folder.touch()
    told = one_line(run("run", PROMETHEUS_MULTIPROC_DIR=str(folder)))
    assert told.startswith(f"spleeter-consumer: PROMETHEUS_MULTIPROC_DIR: {folder} is no folder")
    assert "settings: PROMETHEUS_MULTIPROC_DIR: " in run("doctor", PROMETHEUS_MULTIPROC_DIR=str(folder)).stdout


def test_scratch_space_that_is_a_file(tmp_path: Path) -> None:
    """`run` names the variable."""
    (tmp_path / "file").touch()
    told = one_line(run("run", SCRATCH_DIR=str(tmp_path / "file")))
    assert told == "spleeter-consumer: SCRATCH_DIR: can't be written to (Not a directory)"


# A folder that can't be looked into, whoever looks: the system refuses the name itself.
UNREADABLE = "/" + "x" * 300


@pytest.mark.parametrize(
    "command", [("models", "list"), ("models", "pull"), ("models", "check"), ("separate", __file__)]
)
def test_models_that_can_not_be_read(command: tuple[str, ...]) -> None:
    """Each command that reads them names the variable or the folder, and the system's reason."""
    told = one_line(run(*command, MODEL_PATH=UNREADABLE, MODEL_SOURCES="none"))
    assert "File name too long" in told
    assert "MODEL_PATH" in told or UNREADABLE in told


def test_models_that_can_not_be_read_are_one_of_what_the_doctor_finds() -> None:
    """All other checks are made."""
    found = run("doctor", MODEL_PATH=UNREADABLE).stdout
    assert "File name too long" in next(line for line in found.splitlines() if line.startswith("models: "))
    assert "sandbox: " in found


def test_an_output_that_is_full() -> None:
    """What can't be written is told on standard error, once."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [COMMAND, "models", "list"], env={**KEPT, **SETTINGS}, stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "spleeter-consumer: No space left on device\n")


def test_a_log_that_is_full_or_closed_stops_nothing(tmp_path: Path) -> None:
    """A replica's lines are lost, and it goes on: it ends for what it would have ended for."""
    scratch = tmp_path / "scratch"
    for stderr in ("/dev/full", ""):
        script = f"exec {COMMAND} run 2>{stderr or '&-'} </dev/null"
        process = subprocess.Popen(["sh", "-c", script], env={**KEPT, **SETTINGS, "SCRATCH_DIR": str(scratch)})
        try:
            wait_for(lambda: scratch.is_dir() and list(scratch.iterdir()) != [])
            assert process.poll() is None
            process.terminate()
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_standard_stream_that_is_closed(closed: int) -> None:
    """The command does what it would do; no file of its own is taken for that stream."""
    done = run("models", "list", preexec=lambda: os.close(closed))
    assert done.returncode == 0
    assert done.stdout.count("not there") == (0 if closed == 1 else 3)


@pytest.mark.parametrize("language", ["C", "POSIX", "C.UTF-8", "xx_YY"])
def test_any_language_of_the_machine(language: str) -> None:
    """Names that are no ASCII are told of, and not stumbled over."""
    done = run("separate", "/nowhere/M\u00fcller.wav", LANG=language, LC_ALL=language)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_machine_without_home_or_folder_for_temporary_files() -> None:
    """Neither is needed."""
    done = run("models", "list", HOME="", TMPDIR="/no/such/folder")
    assert done.returncode == 0, done.stderr


def test_a_command_whose_package_is_missing(tmp_path: Path) -> None:
    """`separate` without the extra says what to install."""
    hide = "import sys\nclass Hidden:\n    def find_spec(name, path=None, target=None):\n"
    hide += "        if name == 'numpy': raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
    (tmp_path / "sitecustomize.py").write_text(f"{hide}sys.meta_path.insert(0, Hidden)\n")
    (tmp_path / "song.wav").touch()
    told = one_line(run("separate", str(tmp_path / "song.wav"), PYTHONPATH=str(tmp_path)))
    assert told == "spleeter-consumer: numpy is not installed: it comes with spleeter-consumer[separator]"
