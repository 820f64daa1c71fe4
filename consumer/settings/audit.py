"""What becomes of work whose audit events can't be written."""

from pydantic import Field

from consumer.settings.variables import Group


class AuditSettings(Group):
    """The audit trail."""

    audit_required: bool = Field(
        default=False,
        description="while `TOPIC_AUDIT` takes nothing: `true` nothing is done until it does; `false` work goes on, and"
        " each lost event is counted, logged and alerted",
    )
