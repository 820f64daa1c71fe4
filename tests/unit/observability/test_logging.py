import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from consumer.observability import logging as logs


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """Logging is the process's: leave it as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Any:
    def lines() -> list[dict[str, Any]]:
        captured = capsys.readouterr()
        assert captured.out == ""
        return [json.loads(line) for line in captured.err.splitlines()]

    return lines


def test_each_line_is_one_json_object(written: Any) -> None:
    """A line has the event, its level, the time in UTC, what is bound to the process, and what is bound to the job."""
    logs.configure("INFO", "json", instance_id="replica-0", version="1.2.3")
    structlog.get_logger().bind(request_id="r1").info("separation.stored", seconds=0.5, text="two\nlines")
    [line] = written()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "separation.stored", "level": "info", "instance_id": "replica-0", "version": "1.2.3",
        "request_id": "r1", "seconds": 0.5, "text": "two\nlines",
    }  # fmt: skip


@pytest.mark.parametrize(("level", "wanted"), [("DEBUG", 4), ("INFO", 3), ("WARNING", 2), ("ERROR", 1)])
def test_less_than_the_level_is_not_written(written: Any, level: str, wanted: int) -> None:
    """LOG_LEVEL is the least level that is logged."""
    logs.configure(level, "json")
    log = structlog.get_logger()
    for write in (log.debug, log.info, log.warning, log.error):
        write("a.thing")
    assert len(written()) == wanted


@pytest.mark.parametrize(
    "name",
    ["password", "sasl_password", "secret_key", "access_key", "api_key", "apikey", "API_KEY", "token", "Authorization",
     "credentials"],
)  # fmt: skip
def test_what_looks_like_a_secret_is_blotted_out(written: Any, name: str) -> None:
    """A value whose name sounds like a secret is never written, whoever logs it."""
    logs.configure("INFO", "json")
    structlog.get_logger().bind(**{name: "hunter2"}).info("a.thing", stage="fetch")
    [line] = written()
    assert (line[name], line["stage"]) == ("***", "fetch")


def fail_with_secrets() -> None:
    payload, settings = b"hunter2", {"secret": "hunter2"}
    raise ValueError(f"{len(payload)} bytes, {len(settings)} setting")


@pytest.mark.parametrize("format", ["json", "console"])
def test_a_traceback_tells_where_and_not_what(capsys: pytest.CaptureFixture[str], format: str) -> None:
    """An exception is logged with its place in the code, and without the values of the variables around it."""
    logs.configure("INFO", format)
    try:
        fail_with_secrets()
    except ValueError as error:
        structlog.get_logger().error("separation.unexpected", exc_info=error)
    text = capsys.readouterr().err
    assert "hunter2" not in text.replace('b"hunter2", {"secret": "hunter2"}', "")
    assert "fail_with_secrets" in text
    assert "7 bytes, 1 setting" in text


def test_other_libraries_write_the_same_lines(written: Any) -> None:
    """What comes through the standard library's logging is a JSON line too, from WARNING on, with its logger."""
    logs.configure("DEBUG", "json", instance_id="replica-0")
    library = logging.getLogger("librdkafka.consumer")
    library.info("chatter")
    library.warning("broker %s is away", 3)
    [line] = written()
    assert (line["event"], line["level"], line["logger"]) == ("broker 3 is away", "warning", "librdkafka.consumer")
    assert (line["instance_id"], "timestamp" in line) == ("replica-0", True)


def test_people_get_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """LOG_FORMAT=console is for eyes, on standard error as well."""
    logs.configure("INFO", "console")
    structlog.get_logger().info("separation.stored", seconds=0.5)
    captured = capsys.readouterr()
    assert "separation.stored" in captured.err
    assert not captured.err.startswith("{")
    assert captured.out == ""
