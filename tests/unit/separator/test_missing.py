"""A separator that can't be started, or lacks packages: one line that says what to install, and no endless tries."""

import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Fatal
from consumer.core.extras import EXTRAS
from consumer.separator.client import SeparatorClient
from consumer.separator.protocol import Configure


def client(folder: Path, *command: str) -> SeparatorClient:
    configuration = Configure(
        model_path=folder, runtime="native", allowed_formats=("wav",), models=("2stems",), scratch=folder
    )
    return SeparatorClient(configuration, max_audio_s=60.0, environment={}, command=command)


def patience() -> Cancellation:
    cancel = Cancellation()
    cancel.start_clock(60.0)
    return cancel


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    """As after an upgrade under a running replica; also where it may not be run."""
    gone, no_program = tmp_path / "gone" / "python", tmp_path / "python"
    no_program.write_text("no program")
    for python in (gone, no_program):
        with pytest.raises(Fatal, match=f"the separator's Python {python} can't be run"):
            client(tmp_path, str(python), "-m", "consumer.separator.process").prepare(patience())


@pytest.mark.parametrize("package", sorted(EXTRAS))
def test_a_package_that_is_not_there_is_named_with_its_extra(tmp_path: Path, package: str) -> None:
    """It is not tried again: only an operator can mend it."""
    with capture_logs() as logs, pytest.raises(Fatal) as ended:
        # Isolated and without site, so that nothing but the standard library is there.
        client(tmp_path, sys.executable, "-ISc", f"import {package}").prepare(patience())
    assert str(ended.value) == f"{package} is not installed: it comes with spleeter-consumer[{EXTRAS[package]}]"
    assert [line["event"] for line in logs] == ["separator.not_ready"]
