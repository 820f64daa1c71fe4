"""What commands do not load: who only asks what there is must not wait for what separates, sends or serves."""

import json
import subprocess
import sys

import pytest

from consumer.cli.commands import COMMANDS

PATIENCE_S = 60
# Each takes longer to import than a person likes to wait for a page of help, or comes with an extra.
HEAVY = {
    "asyncio", "av", "avro", "confluent_kafka", "cryptography", "email", "fastapi", "fastavro", "http", "httpx2",
    "imageio_ffmpeg", "importlib.metadata", "jwt", "logging", "minio", "multipart", "numpy", "opentelemetry",
    "openvino", "prometheus_client", "psutil", "pydantic", "pydantic_settings", "rich", "scipy", "sqlite3", "spleeter",
    "spleeter_kernels", "starlette", "structlog", "tenacity", "tensorflow", "urllib3", "uvicorn",
}  # fmt: skip

OF_TYPER = {"email", "importlib.metadata", "logging", "pydantic"}  # by which it reads a command's own options

ASK = """
import contextlib, io, json, sys
before = set(sys.modules)  # what a tool that watches each Python has loaded
import consumer
loaded = {"import": sorted(set(sys.modules) - before)}
for words in json.loads(sys.argv[1]):
    from consumer.cli import main
    sys.argv = ["spleeter-consumer", *words, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as told:
        try:
            main()
        except SystemExit as end:
            assert end.code == 0, words
    assert told.getvalue().lstrip().startswith("Usage: "), words
    loaded[" ".join(words)] = sorted(set(sys.modules) - before)
print(json.dumps(loaded))
"""


def loaded_by(*commands: list[str]) -> dict[str, set[str]]:
    """The modules that a process has loaded after `import consumer`, and then after each command's `--help`."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(commands)], capture_output=True, text=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return {words: set(modules) for words, modules in json.loads(done.stdout).items()}


def test_the_package_itself_loads_nothing() -> None:
    """`import consumer` has nothing but the package."""
    assert {name.partition(".")[0] for name in loaded_by()["import"]} == {"consumer"}


def test_no_help_loads_what_is_heavy() -> None:
    """Neither the list of all commands, which looks at each, nor any command's own."""
    loaded = loaded_by([], *([name] for name in COMMANDS))
    assert len(loaded) == 2 + len(COMMANDS)
    assert not loaded[""] & HEAVY
    for words, modules in loaded.items():
        assert not modules & (HEAVY - OF_TYPER), words


@pytest.mark.parametrize("command", ["separate", "dlq"])
def test_a_command_does_not_wait_for_the_others(command: str) -> None:
    """Its module is loaded, and that of no other command."""
    of_commands = {f"consumer.cli.{module}" for module, _ in COMMANDS.values()}
    assert loaded_by([command])[command] & of_commands == {f"consumer.cli.{COMMANDS[command][0]}"}
