"""Structured logs: one JSON object a line on standard error, with the ids of the job at hand bound to it.

Events have dotted names. Secrets never get here: nothing logs a URL, a payload or a setting's value, and what looks
like a secret by its name is blotted out all the same.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

# Without the values of local variables, which hold payloads and settings.
_json_tracebacks = ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
_SECRET = re.compile(r"password|secret|token|api_?key|access_?key|authorization|credential", re.IGNORECASE)


def configure(level: str, format: str, **bound: str) -> None:
    """Set up structlog, and the standard library's logging to go through it. `bound` is on every line."""

    def add_bound(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**bound, **event}

    shared: list[structlog.typing.Processor] = [
        add_bound,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _blot_out,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            *shared,
            _json_tracebacks if format == "json" else structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=max(getattr(logging, level), logging.WARNING), handlers=[handler], force=True)


class _Unfailing:
    """Standard error, where a line that can't be written is lost: a full disk or a closed pipe must not stop work."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()


def _blot_out(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in event:
        if _SECRET.search(name):
            event[name] = "***"
    return event
