"""`request`, `cancel` and `watch`: what a developer of the platform tries the service with."""

import sys
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.audit import Actor, command_audit
from consumer.core.audit_actions import AuditAction
from consumer.core.catalog import FORMATS, HIGH_FREQUENCIES, MODELS, STEM_MODELS
from consumer.core.limits import HIGHEST_TRACK, LONGEST_SPAN_S, SHORTEST_SPAN_S

if TYPE_CHECKING:
    from consumer.client import Client


def _either(choices: Iterable[object]) -> str:
    *others, last = map(str, choices)
    return f"{', '.join(others)} or {last}"


_STEMS = _either(sorted({len(model.stems) for model in STEM_MODELS.values()}))
_HIGH_FREQUENCIES = _either(HIGH_FREQUENCIES)
_REQUEST_ID_FORM = "must be 1 to 64 characters of A-Za-z0-9_-"


def request(
    source: Annotated[str, typer.Argument(metavar="BUCKET/KEY", help="The object to separate.")],
    stems: Annotated[int, typer.Option(help=f"{_STEMS}.")] = 2,
    wide: Annotated[bool, typer.Option("--16kHz", help="Masks that reach 16 kHz instead of 11 kHz.")] = False,
    format: Annotated[str, typer.Option(help=f"Of the stems: {', '.join(FORMATS)}.")] = "wav",
    bitrate: Annotated[str | None, typer.Option(help="Of lossy formats, such as 192k.")] = None,
    high_frequencies: Annotated[str, typer.Option(help=f"{_HIGH_FREQUENCIES}.")] = "zeros",
    start_s: Annotated[float | None, typer.Option(min=0.0, max=LONGEST_SPAN_S, help="Seconds to skip.")] = None,
    duration_s: Annotated[
        float | None, typer.Option(min=SHORTEST_SPAN_S, max=LONGEST_SPAN_S, help="Seconds to separate.")
    ] = None,
    track: Annotated[
        int | None, typer.Option(min=0, max=HIGHEST_TRACK, help="Audio track, from 0; ffmpeg's own choice by default.")
    ] = None,
    request_id: Annotated[str | None, typer.Option(help="A new one by default.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the outcome and print it.")] = False,
    timeout_s: Annotated[float, typer.Option(help="How long to wait.")] = 600.0,
) -> None:
    """Send a separation request; prints its id or, with --wait, its outcome (exit code 1 for a dead letter)."""
    from consumer.client.errors import SeparationFailed
    from consumer.core.events import REQUEST_ID, OutputOptions, SeparationRequest, SourceObject

    bucket, _, key = source.partition("/")
    model = f"{stems}stems" + ("-16kHz" if wide else "")
    _require(bucket and key, "BUCKET/KEY", "must be BUCKET/KEY")
    _require(model in MODELS, "--stems", f"must be {_STEMS}")
    _require(format in FORMATS, "--format", f"must be one of {', '.join(FORMATS)}")
    why_not = FORMATS[format].why_not_bitrate(bitrate) if bitrate is not None else None
    _require(why_not is None, "--bitrate", why_not or "")
    _require(high_frequencies in HIGH_FREQUENCIES, "--high-frequencies", f"must be {_HIGH_FREQUENCIES}")
    _require(request_id is None or REQUEST_ID.fullmatch(request_id), "--request-id", _REQUEST_ID_FORM)
    event = SeparationRequest(
        request_id=request_id or str(uuid.uuid4()),
        source=SourceObject(bucket=bucket, key=key),
        model=model,
        output=OutputOptions(format=format, bitrate=bitrate),
        high_frequencies=high_frequencies,
        start_s=start_s,
        duration_s=duration_s,
        requested_at=datetime.now(UTC),
        track=track,
    )
    with _client() as client:
        if not wait:
            client.send(event)
            typer.echo(event.request_id)
            return
        job = client.submit(event)
        job.sent()
        try:
            typer.echo(_line(job.result(timeout_s)))
        except SeparationFailed as failed:
            typer.echo(_line(failed.letter))
            sys.exit(1)


def cancel(
    request_id: Annotated[str, typer.Argument(metavar="REQUEST_ID", help="The request's.")],
    reason: Annotated[str | None, typer.Option(help="Why; it is told in the dead letter.")] = None,
    actor: Actor = None,
) -> None:
    """Cancel a request, begun or not: it ends as a dead letter CANCELLED, unless it is done already."""
    from consumer.core.events import REQUEST_ID

    _require(REQUEST_ID.fullmatch(request_id), "REQUEST_ID", _REQUEST_ID_FORM)
    with command_audit(actor) as audit, _client() as client:
        client.cancel(request_id, reason)
        audit.record(AuditAction.CANCEL_REQUESTED, request_id=request_id)


def watch(
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin with what is already there.")] = False,
    count: Annotated[int, typer.Option(help="Stop after so many events; 0: never.")] = 0,
) -> None:
    """Print results, dead letters and progress, one JSON object a line, as they come."""
    events = _client().watch(from_beginning=from_beginning)
    for event in islice(events, count or None):
        typer.echo(_line(event))


def _require(is_right: object, parameter: str, why: str) -> None:
    if not is_right:
        raise typer.BadParameter(why, param_hint=parameter)


def _client() -> "Client":
    from consumer.client import Client

    return Client.from_env()


def _line(event: object) -> str:
    import msgspec

    return msgspec.json.encode({type(event).__name__: event}).decode()
