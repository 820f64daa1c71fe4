"""`forget`: takes away all that the service keeps of a request, or of all requests of a tenant."""

from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.audit import Actor, command_audit
from consumer.core.errors import Fatal

if TYPE_CHECKING:
    from consumer.cli.forgetting import ForgetCommand

_TIMEOUT_S = 60.0


def forget(
    request_id: Annotated[
        str | None, typer.Argument(metavar="REQUEST_ID", help="The request's; behind -- if it begins with -.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="The tenant's whose request it is; without REQUEST_ID all of the tenant's.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Take nothing away; print what would go.")] = False,
    timeout_s: Annotated[
        float, typer.Option(help="How long to wait for one request that is under way to end.")
    ] = _TIMEOUT_S,
    actor: Actor = None,
) -> None:
    """Take away stems, manifest, index entries and upload of a request for good, once it is cancelled; one line each.

    It can't come back: its id is answered 410 by the gateway, and refused by replicas. Run it again where it was
    stopped; what is gone is passed over. Records in Kafka go by the retention of their topics.
    """
    from consumer.core.events import REQUEST_ID

    if request_id is None and tenant is None:
        raise typer.BadParameter("say which: a request id, --tenant, or both", param_hint="REQUEST_ID")
    if request_id is not None and not REQUEST_ID.fullmatch(request_id):
        raise typer.BadParameter("must be 1 to 64 characters of A-Za-z0-9_-", param_hint="REQUEST_ID")
    command = _command()
    if dry_run:
        found = command.show(request_id, tenant)
    else:
        with command_audit(actor) as audit:
            found = command.forget(request_id, tenant, audit, timeout_s)
    if not found:
        raise Fatal("nothing is known of it: look at the id, and whether it is a tenant's")


def _command() -> "ForgetCommand":
    from consumer.cli.forgetting import make_forget_command

    return make_forget_command()
