"""Every command that a page shows is run by a test, or stands here with the reason why it can't be."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
from typer.exceptions import TyperException

from consumer.cli import app
from harness.pages import DOCS, README, ROOT, commands, name_of, pages

# Those whose blocks are run as they stand, by tests/integration/test_documented_commands.py.
RUN_AS_A_WHOLE = (README, DOCS / "quickstart.md")

RECIPES = DOCS / "recipes.md"  # followed by tests/recipes, commands and all

# A command's beginning -> why no test runs it as it stands there.
NOT_RUN = {
    "make demo": "installs anew; tests/integration/test_demo.py runs the demonstration",
    "make test": "is what runs this",
    "make lint": "runs before the tests",
    "make docs": "runs before the tests; tests/unit/docs/test_site.py builds the same site",
    "make sync": "has made the environment that this runs in",
    "make sbom": "writes a file of the repository; tests/deploy/test_supply_chain.py makes the same",
    "make stack-up": "needs ports 9092 and 9000 for itself; the tests start the same servers on free ones",
    "make stack-down": "as make stack-up",
    "make chaos": "takes an hour",
    "make attack": "takes half an hour; `make test` has all of it but the longest",
    "make fuzz": "takes an hour; `make test` has the same targets with fewer examples",
    "make endurance": "takes ten minutes",
    "make test-deploy": "needs the rights to run containers; CI has them",
    "make dist": "needs a cross compiler; tests/dist builds the same wheels",
    "make test-dist": "needs a cross compiler and an emulator; a part of it is in `make test`",
    "make sanitize": "is a part of `make test`",
    "make dist-ffmpeg": "compiles FFmpeg for minutes; `make test-ffmpeg` builds the same wheel",
    "pip install dist/spleeter_ffmpeg": "tests/ffmpeg/test_wheel.py installs it, by uv",
    "make test-ffmpeg": "compiles FFmpeg, and decodes the whole corpus three times",
    "make bench-ffmpeg": "measures for minutes, alone on the machine",
    "make coverage": "runs most of the tests once more, twice as slowly",
    "make mutants": "runs tests against hundreds of mutants for half an hour",
    "make bench": "measures for half an hour, alone on the machine",
    ". .venv/bin/activate": "the tests run in that environment",
    "python -m bench": "measures for minutes, alone on the machine; tests/unit/bench runs the capacity table",
    "python -m demo.training": "takes minutes to an hour; tests/unit/demo runs its parts",
    "pytest tests/unit": "is what runs this",
    "uv sync": "would change the environment that this runs in; tests/deployed does it in the image",
    "pip install --find-links dist": "tests/dist/test_wheels.py installs the wheels, by pip, on each Python",
    "pip install ./kernels": "tests/dist/test_wheels.py installs the same from wheels; OpenVINO is large",
    "pip install .": "tests/integration/test_package.py installs the package, by uv, on each Python",
    "cd examples/": "needs Maven, Go or Node; tests/integration has test_other_languages.py and gateway/test_tour.py",
    "docker": "needs the rights to run containers; tests/deployed does it with `make test-deploy`",
    "cp deploy/compose/example.env": "as docker, which follows it",
    "sed -i": "changes a file of the repository; tests/monitoring/test_deploy.py runs it on a copy",
    "kubectl": "needs a cluster; tests/deployed/test_admission.py runs these lines with `make test-deploy`",
    "export SPLEETER_API_KEY": "tests/integration/gateway/test_tour.py sets another one",
    'echo "whsec_': "tests/integration/webhooks runs it",
    "spleeter-consumer api": "goes on until it is ended; run by tests/integration/gateway",
    "kafka-topics.sh": "comes with Kafka, at another place on each machine",
    "kafka-configs.sh": "as kafka-topics.sh; tests/integration/test_broker_settings.py sets the same",
    "kafka-consumer-groups.sh": "as kafka-topics.sh; tests/integration/webhooks runs what is behind it",
    "curl": "HOST is the reader's; tests/integration asks the same pages",
    "spleeter-consumer watch$": "goes on until it is ended; with --count it is run",
    "spleeter-consumer lag --serve": "goes on until it is ended; run by tests/integration/test_lag_exporter.py",
    "spleeter-consumer keys revoke": "needs the id of a key; tests/unit/cli/test_keys_command.py has one",
    "spleeter-consumer schemas check$": "needs a registry; tests/integration/test_schemas_command.py has one",
    "spleeter-consumer schemas register": "as schemas check",
}

ALL = [(page, command) for page in pages() for command in commands(page)]
OURS = [(page, command) for page, command in ALL if command.startswith("spleeter-consumer ")]


def reason_not_run(command: str) -> str | None:
    """Why no test runs it; None for one that is run."""
    for beginning, reason in NOT_RUN.items():
        if command == beginning.removesuffix("$") or (
            not beginning.endswith("$") and re.match(rf"{re.escape(beginning)}(?![\w.-]*\w*:)", command)
        ):
            return reason
    return None


def is_run(page: Path, command: str) -> bool:
    """By test_documented_commands.py: whole pages, and each command of the service's; by tests/recipes, the recipes."""
    return page in (*RUN_AS_A_WHOLE, RECIPES) or command.startswith("spleeter-consumer ")


@pytest.mark.parametrize(("page", "command"), ALL, ids=[f"{name_of(page)}: {command}" for page, command in ALL])
def test_each_command_is_run_or_has_a_reason(page: Path, command: str) -> None:
    """Nothing that is shown to be typed is unknown to the tests."""
    assert reason_not_run(command) or is_run(page, command)


def test_each_reason_is_needed() -> None:
    """What no page shows any more needs none."""
    needless = [
        beginning
        for beginning in NOT_RUN
        if not any(command.startswith(beginning.removesuffix("$")) for _, command in ALL)
    ]
    assert needless == []


@pytest.mark.parametrize("command", sorted({command for _, command in OURS}))
def test_options_are_those_of_the_command_line(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real command line takes every command, its options and what they are given."""
    monkeypatch.chdir(ROOT)
    words = shlex.split(re.split(r" (?:\|\||&&|&|2>)", command)[0])
    parse(["README.md" if word == "song.mp3" else word for word in words[1:]])


def parse(words: list[str]) -> None:
    """Goes down to the command that is meant, without calling it. Raises what the command line does not understand."""
    command: object = typer.main.get_command(app)
    while inner := getattr(command, "commands", None):
        command, words = inner[words[0]], words[1:]
    command.make_context("spleeter-consumer", words)  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", ["request music/song.wav --no-such-option", "request", "watch --count many"])
def test_wrong_options_are_not_taken(line: str) -> None:
    """What the check above is made of finds options and values that are none."""
    with pytest.raises(TyperException):
        parse(line.split())


def test_unknown_commands_are_not_taken() -> None:
    """And commands that are none."""
    with pytest.raises(KeyError):
        parse(["dlq", "shows", "3:17"])


@pytest.mark.parametrize("target", sorted({c.split()[1] for _, c in ALL if c.startswith("make ")}))
def test_make_knows_its_targets(target: str) -> None:
    """`make` has what the pages say that it makes."""
    assert re.search(rf"^{target}:.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("extra", ["separator", "openvino"])
def test_what_replicas_need_can_be_installed(extra: str, python: str) -> None:
    """On each Python, without any override, as pip has to, and without TensorFlow and Spleeter."""
    ran = resolve("--extra", extra, "--no-config", python=python)
    assert ran.returncode == 0, ran.stderr
    assert "numpy==" in ran.stdout
    assert not re.search(r"^(tensorflow|spleeter)==", ran.stdout, re.MULTILINE)


def test_spleeter_itself_needs_overrides() -> None:
    """uv can resolve the extra in a checkout; pip can't."""
    assert "spleeter==2.4.2" in resolve("--extra", "spleeter").stdout
    without = resolve("--extra", "spleeter", "--extra", "tensorflow", "--no-config")
    assert without.returncode != 0
    assert "spleeter" in without.stderr


def resolve(*arguments: str, python: str = "3.11") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["uv", "pip", "compile", "--quiet", "--no-header", "--python-version", python, "pyproject.toml", *arguments],
        cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False,
    )  # fmt: skip
