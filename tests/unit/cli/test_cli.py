"""The command, in this process where that is enough, and as it is installed."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest
import structlog
import typer

from consumer.cli import app, main
from consumer.core.catalog import FORMATS, HIGH_FREQUENCIES, STEM_MODELS
from consumer.core.events import SeparationRequest

COMMAND = Path(sys.executable).with_name("spleeter-consumer")
SETTINGS = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "MINIO_ENDPOINT": "127.0.0.1:1",
    "MINIO_ACCESS_KEY": "a",
    "MINIO_SECRET_KEY": "hunter2",
    "ALLOWED_SOURCE_BUCKETS": "in",
    "OUTPUT_BUCKET": "out",
    "HTTP_PORT": "0",
}
KEPT = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


@dataclass
class Done:
    code: int
    out: str
    err: str

    def one_line(self) -> str:
        """What a command that failed said, which has to be one line and no traceback."""
        assert (self.code, self.out) == (1, "")
        [line] = self.err.splitlines()
        return line


Call = Callable[..., Done]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """Calls the command in this process, with nothing else in its environment; logging is put back in the end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def call(*arguments: str, **environment: str) -> Done:
        for name in set(os.environ) - set(KEPT):
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["spleeter-consumer", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    yield call
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def run(*arguments: str, **environment: str) -> Done:
    """Runs the installed command in a process of its own."""
    done = subprocess.run(
        [COMMAND, *arguments], env={**KEPT, **environment}, capture_output=True, text=True, timeout=60, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


def commands() -> list[tuple[str, ...]]:
    """Every command there is, with its group's name before its own."""

    def walk(command: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        inner: Mapping[str, object] = getattr(command, "commands", {})
        return [path, *(found for name, each in inner.items() for found in walk(each, (*path, name)))]

    return walk(typer.main.get_command(app), ())


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_each_command_explains_itself(call: Call, command: tuple[str, ...]) -> None:
    """--help succeeds without any setting, and says what the command and each of its options are for."""
    done = call(*command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.strip().startswith("Usage: spleeter-consumer")
    assert done.out.count("\n") > 5


def test_help_lists_what_the_catalog_holds(call: Call) -> None:
    """A format or model that is new in the catalog can be asked for, and is told of, without another change."""
    words = set(re.split(r"[\s,.:]+", call("request", "--help").out))
    assert words >= {*FORMATS, *HIGH_FREQUENCIES, *(str(len(model.stems)) for model in STEM_MODELS.values())}
    assert set(re.split(r"[\s,.:]+", call("separate", "--help").out)) >= {*FORMATS}


def test_the_installed_command_tells_its_version() -> None:
    """--version prints the installed version alone."""
    assert run("--version") == Done(0, f"{version('spleeter-consumer')}\n", "")


def test_the_installed_command_says_what_is_wrong() -> None:
    """Wrong usage is exit code 2, a missing setting exit code 1 with one line."""
    assert run("dance").code == 2
    assert run("watch").one_line() == "spleeter-consumer: KAFKA_BOOTSTRAP_SERVERS must be set"


def test_a_broker_that_is_away_is_told_of_in_one_line() -> None:
    """Where no broker answers, that is all that is said: nothing of what the client library complained of."""
    line = run("request", "b/k", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", KAFKA_MESSAGE_TIMEOUT_MS="500").one_line()
    assert line.startswith("spleeter-consumer: KAFKA_BOOTSTRAP_SERVERS: no broker answers")


@pytest.mark.parametrize(("flags", "track"), [((), None), (("--track", "0"), 0), (("--track", "3"), 3)])
def test_the_track_that_is_asked_for_is_in_the_request(
    call: Call, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], track: int | None
) -> None:
    """Without the flag none is asked for; 0 is a track like any other."""
    sent: list[SeparationRequest] = []
    monkeypatch.setattr("consumer.client.Client.send", lambda _, request: sent.append(request))
    assert call("request", "b/k", *flags, **SETTINGS).code == 0
    assert [request.track for request in sent] == [track]


WRONG_USAGE = [
    "", "dance", "run --fast", "request", "request no-slash", "request /key", "request bucket/",
    "request b/k --stems two", "request b/k --stems 7", "request b/k --format floppy", "request b/k --bitrate fast",
    "request b/k --request-id a%b", "request b/k --start-s -1", "request b/k --duration-s 0",
    "request b/k --high-frequencies loud", "request b/k --track -1", "request b/k --track 1000",
    "watch --count many", "cancel", "cancel a%b", "topics",
    "topics create --partitions 0",
    "dlq", "dlq list --code NO_SUCH_CODE", "dlq show", "dlq show a%b", "dlq replay", "dlq replay 7", "dlq replay 0:1 x",
    "models", "models check 7stems", "models pull 7stems", "schemas", "schemas check --against no-such-folder",
    "doctor now",
    "separate", "separate no-such-file", "separate FILE -c midi", "separate FILE -b fast", "separate FILE -s -1",
    "separate FILE -d 0", "separate FILE --track -1", "separate FILE --track two",
]  # fmt: skip


@pytest.mark.parametrize("line", WRONG_USAGE)
def test_wrong_usage_is_exit_code_2(call: Call, line: str) -> None:
    """What can't be meant ends with code 2 before anything is done, and no traceback."""
    done = call(*[__file__ if word == "FILE" else word for word in line.split()], **SETTINGS)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "sage: spleeter-consumer" in done.out + done.err


NEEDS = [
    ("run", "KAFKA_BOOTSTRAP_SERVERS"), ("run", "MINIO_ENDPOINT"), ("run", "MINIO_SECRET_KEY"),
    ("run", "OUTPUT_BUCKET"), ("request b/k", "KAFKA_BOOTSTRAP_SERVERS"),
    ("cancel r", "KAFKA_BOOTSTRAP_SERVERS"), ("watch", "KAFKA_BOOTSTRAP_SERVERS"),
    ("topics create", "KAFKA_BOOTSTRAP_SERVERS"), ("dlq list", "KAFKA_BOOTSTRAP_SERVERS"),
    ("dlq replay --all", "KAFKA_BOOTSTRAP_SERVERS"), ("schemas register", "SCHEMA_REGISTRY_URL"),
    ("schemas check", "SCHEMA_REGISTRY_URL"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "name"), NEEDS)
def test_a_missing_setting_is_named_in_one_line(call: Call, line: str, name: str) -> None:
    """A command that lacks a setting ends with code 1 and one line that names it; it needs no other command's."""
    given = {key: value for key, value in SETTINGS.items() if key != name and line == "run"}
    assert call(*line.split(), **given).one_line() == f"spleeter-consumer: {name} must be set"


WRONG_SETTINGS = [
    ("run", "RETRY_DELAYS", "soon"), ("run", "LOG_LEVEL", "loud"), ("run", "KAFKA_ENABLE_AUTO_COMMIT", "true"),
    ("run", "KAFKA_NO_SUCH_THING", "1"), ("request b/k", "KAFKA_NO_SUCH_THING", "1"),
    ("watch", "KAFKA_NO_SUCH_THING", "1"), ("topics create", "KAFKA_NO_SUCH_THING", "1"),
    ("separate FILE", "SEPARATOR_PROCESSES", "none"), ("run", "MINIO_ENDPOINT", "127.0.0.1:99999"),
    ("run", "SCHEMA_REGISTRY_URL", "user:hunter2@registry:8081"), ("run", "MINIO_ENDPOINT", "127.0.0.1:abc"),
    ("request b/k", "SCHEMA_REGISTRY_URL", "127.0.0.1:8081"), ("watch", "SCHEMA_REGISTRY_URL", "127.0.0.1:8081"),
    ("dlq list", "SCHEMA_REGISTRY_URL", "127.0.0.1:8081"), ("lag", "SCHEMA_REGISTRY_URL", "127.0.0.1:8081"),
    ("schemas register", "SCHEMA_REGISTRY_URL", "127.0.0.1:8081"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "name", "value"), WRONG_SETTINGS)
def test_a_wrong_setting_is_named_in_one_line(call: Call, line: str, name: str, value: str) -> None:
    """A setting that can't be used ends with code 1 and one line that begins with its name."""
    words = [__file__ if word == "FILE" else word for word in line.split()]
    told = call(*words, **(SETTINGS | {name: value})).one_line()
    assert told.startswith(f"spleeter-consumer: {name}: ")
    assert "hunter2" not in told


def test_a_model_that_can_not_be_had_is_told_of(call: Call, tmp_path: Path) -> None:
    """`separate` without weights ends with code 1 and the reason, and loads no network for it."""
    done = call("separate", __file__, MODEL_PATH=str(tmp_path), MODEL_SOURCES="none")
    assert done.one_line() == "spleeter-consumer: MODEL_UNAVAILABLE: model 2stems: not under MODEL_PATH"


def test_a_source_that_is_away_is_told_of(call: Call, tmp_path: Path) -> None:
    """`models pull` ends with code 1 and one line where a source does not answer."""
    told = call("models", "pull", MODEL_PATH=str(tmp_path), MODEL_SOURCES="http://127.0.0.1:1").one_line()
    assert told.startswith("spleeter-consumer: model 2stems: not under MODEL_PATH; release: can't be reached")
