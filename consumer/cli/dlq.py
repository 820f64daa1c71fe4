"""`dlq list`, `dlq show` and `dlq replay`: dead letters, and the way back for their records."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.audit import Actor, CommandAudit, command_audit
from consumer.core.audit_actions import AuditAction
from consumer.core.errors import Code, Fatal, Rejected

if TYPE_CHECKING:
    from consumer.adapters.avro.codec import AvroCodec
    from consumer.adapters.kafka.dead_letters import DeadLetterEntry, KafkaDeadLetters
    from consumer.core.events import DeadLetter, SeparationRequest
    from consumer.delivery.replay import Selection

app = typer.Typer(no_args_is_help=True, help="Dead letters, and the way back for their records.")

_PLACE = re.compile(r"\d{1,9}:\d{1,19}")
_MESSAGE_CHARACTERS = 200

Codes = Annotated[list[str] | None, typer.Option("--code", help="Those with this code; may be given several times.")]
RequestIds = Annotated[
    list[str] | None, typer.Option("--request-id", help="Those of this request; may be given several times.")
]


@app.command("list")
def list_dead_letters(
    code: Codes = None,
    request_id: RequestIds = None,
) -> None:
    """Print one line a letter: its PARTITION:OFFSET, time, code, request id, its record's place, message."""
    dead_letters, selection = _dead_letters(), _selection(code, request_id)
    for entry, letter in _selected(dead_letters, selection):
        message = " ".join(letter.message.split())[:_MESSAGE_CHARACTERS]
        origin = f"{letter.topic},{letter.partition},{letter.offset}"
        columns = (entry.place, letter.failed_at.isoformat(timespec="seconds"), letter.code, letter.request_id or "-")
        typer.echo("  ".join((*columns, origin, message)))


@app.command()
def show(
    which: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET|REQUEST_ID", help="A letter, or a request's last.")],
) -> None:
    """Print one letter as JSON: all that it holds, bytes as base64, and its record as the request that it is."""
    import msgspec

    from consumer.core.events import REQUEST_ID

    if not _PLACE.fullmatch(which) and not REQUEST_ID.fullmatch(which):
        raise typer.BadParameter("must be PARTITION:OFFSET or a request id", param_hint="PARTITION:OFFSET|REQUEST_ID")
    dead_letters = _dead_letters()
    selection = _selection(places=[which]) if _PLACE.fullmatch(which) else _selection(request_id=[which])
    found = list(_selected(dead_letters, selection))
    if not found:
        raise Fatal(f"there is no dead letter {which}")
    entry, letter = found[-1]
    request: SeparationRequest | str
    try:
        request = dead_letters.request_in(letter)
    except Rejected as rejected:  # that may be why it lies here
        request = str(rejected)
    shown = {"partition": entry.partition, "offset": entry.offset, "letter": letter, "request": request}
    typer.echo(json.dumps(msgspec.to_builtins(shown), indent=2))


@app.command()
def replay(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[PARTITION:OFFSET]...", help="These letters, and no others.")
    ] = None,
    code: Codes = None,
    request_id: RequestIds = None,
    everything: Annotated[bool, typer.Option("--all", help="All that there are.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; print what would be sent.")] = False,
    actor: Actor = None,
) -> None:
    """Send the records of dead letters again, as they came, to the topic that they came from; one line each.

    The letters stay where they are. A request whose stems are stored meanwhile is answered from them.
    """
    for place in places or ():
        if not _PLACE.fullmatch(place):
            raise typer.BadParameter(f"{place} is not PARTITION:OFFSET", param_hint="PARTITION:OFFSET")
    if not (places or code or request_id) and not everything:
        raise typer.BadParameter("say which: PARTITION:OFFSET, --code, --request-id or --all", param_hint="--all")
    selection = _selection(code, request_id, places)
    with nullcontext() if dry_run else command_audit(actor) as audit:
        sent, refused = _replay(selection, audit)
    if refused:
        raise Fatal(f"{refused} of {sent + refused} records can't be sent again")
    if not sent:
        raise Fatal("no dead letter is like that")


def _replay(selection: "Selection", audit: CommandAudit | None) -> tuple[int, int]:
    """How many records were sent, and how many can't be; without an audit nothing is sent, and all is told."""
    from consumer.delivery.replay import replayed
    from consumer.settings import ServiceSettings, TopicSettings, retry_topics

    topics, dead_letters = TopicSettings.load(), _dead_letters()
    allowed = (topics.requests, *retry_topics(topics, ServiceSettings.load()))
    sent = refused = 0
    for entry, letter in _selected(dead_letters, selection):
        about = f"{entry.place}  {letter.code}  {letter.request_id or '-'}"
        try:
            message = replayed(letter, allowed)
        except Rejected as rejected:
            refused += 1
            typer.echo(f"{about}  not sent: {rejected.message}")
            continue
        if audit:
            dead_letters.send(message)
        sent += 1
        typer.echo(f"{about}  {'sent' if audit else 'would go'} to {message.topic}")
        if audit:
            place = {"partition": str(entry.partition), "offset": str(entry.offset)}
            _audit_replay(audit, letter, place)
    return sent, refused


def _audit_replay(audit: CommandAudit, letter: "DeadLetter", place: Mapping[str, str]) -> None:
    """The letter's own words are those of who could write to its topic: an id and a code, or nothing of them."""
    from consumer.core.events import REQUEST_ID

    is_id = letter.request_id is not None and REQUEST_ID.fullmatch(letter.request_id)
    details = {**place, "code": letter.code} if letter.code in set(Code) else place
    audit.record(AuditAction.DEAD_LETTER_REPLAYED, request_id=letter.request_id if is_id else None, details=details)


def _dead_letters() -> "KafkaDeadLetters":
    from consumer.adapters.kafka.dead_letters import KafkaDeadLetters
    from consumer.settings import KafkaSettings, TopicSettings

    return KafkaDeadLetters(KafkaSettings.load(), TopicSettings.load().dead_letter, _codec())


def _codec() -> "AvroCodec":
    from consumer.adapters.factories import make_codec
    from consumer.settings import SchemaSettings, TopicSettings

    return make_codec(SchemaSettings.load(), TopicSettings.load())


def _selection(
    code: list[str] | None = None, request_id: list[str] | None = None, places: list[str] | None = None
) -> "Selection":
    from consumer.delivery.replay import Selection

    for each in code or ():
        if each not in set(Code):
            raise typer.BadParameter(f"{each} is not a code of dead letters", param_hint="--code")
    return Selection(codes=code or (), request_ids=request_id or (), places=places or ())


def _selected(
    dead_letters: "KafkaDeadLetters", selection: "Selection"
) -> "Iterator[tuple[DeadLetterEntry, DeadLetter]]":
    """The entries that were asked for; a record of the topic that is no dead letter is reported on standard error."""
    for entry in dead_letters.read():
        if entry.dead_letter is None:
            typer.echo(f"{entry.place} is no dead letter that can be read", err=True)
        elif selection.has(entry.dead_letter, entry.place):
            yield entry, entry.dead_letter
