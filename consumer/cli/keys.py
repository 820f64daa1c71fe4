"""`keys create`, `keys list` and `keys revoke`: who may use the gateway."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.audit import Actor, local_command_audit
from consumer.core.audit_actions import AuditAction
from consumer.core.errors import SettingsError

if TYPE_CHECKING:
    from consumer.gateway.access.key_file import KeyFile
    from consumer.gateway.access.keys import KeyRecord
    from consumer.gateway.access.principal import Scope

app = typer.Typer(no_args_is_help=True, help="Keys for the HTTP gateway.")

_COLUMNS = ("id", "name", "tenant", "scopes", "state", "created_at", "expires_at")
_LONGEST_LIFE = timedelta(days=36_500)

File = Annotated[Path | None, typer.Option("--file", help="The file of keys, instead of API_KEYS_FILE.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is; several keys may have one name.")],
    tenant: Annotated[str | None, typer.Option(help="On whose behalf it is used; without it, nobody's.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="separations:read, separations:write or operate; may be given several times. Without: read, write."
        ),
    ] = None,
    expires: Annotated[str | None, typer.Option(help="When, from now on, as in 90d; without it, never.")] = None,
    file: File = None,
    actor: Actor = None,
) -> None:
    """Print a new key, this once: only its digest is kept. What it is goes to standard error."""
    from consumer.core.clock import SYSTEM_CLOCK
    from consumer.gateway.access.keys import MOST_NAME_CHARACTERS, is_name, make_key
    from consumer.gateway.access.principal import TENANT

    if not is_name(name):
        raise typer.BadParameter(f"must be 1 to {MOST_NAME_CHARACTERS} printable characters", param_hint="NAME")
    if tenant is not None and not TENANT.fullmatch(tenant):
        raise typer.BadParameter("must be 1 to 64 characters of A-Za-z0-9_-", param_hint="--tenant")
    scopes, life = _scopes(scope), _life(expires)
    now = SYSTEM_CLOCK.now().replace(microsecond=0)
    keys = _key_file(file)
    key, record = make_key(
        name=name, tenant=tenant, scopes=scopes, created_at=now, expires_at=now + life if life else None
    )
    with local_command_audit(actor) as audit:
        keys.add(record)
        typer.echo(key)  # before anything else can fail: nobody can print it again
        typer.echo(_told(record), err=True)
        if audit is not None:
            audit.record(AuditAction.KEY_CREATED, tenant=tenant, details=_details(record))


@app.command("list")
def list_keys(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of objects instead of a table.")] = False,
    file: File = None,
) -> None:
    """Print each key's id, name, tenant, scopes, state and times; none of them tells the key."""
    from consumer.core.clock import SYSTEM_CLOCK

    now = SYSTEM_CLOCK.now()
    rows = [_row(record, now) for record in _key_file(file).read()]
    typer.echo(json.dumps(rows) if as_json else _table(rows))


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` prints it.")],
    file: File = None,
    actor: Actor = None,
) -> None:
    """Take a key back for good; its entry stays. A gateway that runs refuses the key within a second."""
    from consumer.gateway.access.keys import KEY_ID

    if not KEY_ID.fullmatch(key_id):  # which may be a key by mistake, and so is not repeated
        raise typer.BadParameter("must be the id of a key, 10 characters of A-Za-z0-9", param_hint="ID")
    keys = _key_file(file)
    with local_command_audit(actor) as audit:
        record = keys.revoke(key_id)
        assert record.revoked_at
        typer.echo(f"{record.id}  {record.name}  revoked at {record.revoked_at.isoformat()}")
        if audit is not None:
            audit.record(AuditAction.KEY_REVOKED, tenant=record.tenant, details=_details(record))


def _details(record: "KeyRecord") -> dict[str, str]:
    """What the audit trail keeps of a key, without its name, which may be a person's."""
    return {"key_id": record.id, "scopes": " ".join(sorted(record.scopes))}


def _key_file(path: Path | None) -> "KeyFile":
    from consumer.gateway.access.key_file import KeyFile
    from consumer.settings import AccessSettings

    found = path or AccessSettings.load().api_keys_file
    if not found:
        raise SettingsError("API_KEYS_FILE must be set, or --file be given", variables=("API_KEYS_FILE",))
    return KeyFile(found)


def _scopes(words: list[str] | None) -> "frozenset[Scope]":
    from consumer.gateway.access.principal import Scope

    for word in words or ():
        if word not in set(Scope):
            raise typer.BadParameter(f"{word} is not one of {', '.join(Scope)}", param_hint="--scope")
    return frozenset(map(Scope, words or (Scope.READ, Scope.WRITE)))


def _life(text: str | None) -> timedelta | None:
    from consumer.settings.variables import parse_duration_s

    if text is None:
        return None
    try:
        life = timedelta(seconds=parse_duration_s(text))
    except (ValueError, OverflowError):
        life = timedelta()
    if not timedelta(seconds=1) <= life <= _LONGEST_LIFE:
        raise typer.BadParameter("must be a time from 1s to 36500d, as in 90d", param_hint="--expires")
    return life


def _row(record: "KeyRecord", now: datetime) -> dict[str, object]:
    def told(at: datetime | None) -> str | None:
        return at.isoformat() if at else None

    return {
        "id": record.id,
        "name": record.name,
        "tenant": record.tenant,
        "scopes": sorted(record.scopes),
        "state": _state(record, now),
        "created_at": told(record.created_at),
        "expires_at": told(record.expires_at),
        "revoked_at": told(record.revoked_at),
    }


def _state(record: "KeyRecord", now: datetime) -> str:
    if record.revoked_at is not None:
        return "revoked"
    return "expired" if record.expires_at is not None and now >= record.expires_at else "usable"


def _table(rows: list[dict[str, object]]) -> str:
    cells = [_COLUMNS, *(tuple(_cell(row[column]) for column in _COLUMNS) for row in rows)]
    widths = [max(len(line[number]) for line in cells) for number in range(len(_COLUMNS))]
    return "\n".join("  ".join(f"{line[i]:<{widths[i]}}" for i in range(len(_COLUMNS))).rstrip() for line in cells)


def _cell(value: object) -> str:
    return ",".join(value) if isinstance(value, list) else str(value or "-")


def _told(record: "KeyRecord") -> str:
    tenant = f"tenant {record.tenant}" if record.tenant else "no tenant"
    ends = f"expires {record.expires_at.isoformat()}" if record.expires_at else "never expires"
    return (
        f"key {record.id} of {record.name}: {tenant}, {', '.join(sorted(record.scopes))}, {ends}; it is shown this once"
    )
