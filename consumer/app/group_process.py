"""The process that asks who is in the group: `python -m consumer.app.group_process`, for `consumer.app.group_child`.

It asks once, by the settings of its environment, writes a report to standard output, as JSON, and ends.
"""

import os
import sys
from dataclasses import dataclass

import msgspec

from consumer.adapters.kafka.group_members import KafkaGroup
from consumer.core.errors import ConsumerError
from consumer.core.group import Group
from consumer.settings import KafkaSettings

REQUEST_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """group: None where it can't be had; trouble says why."""

    group: Group | None = None
    trouble: str = ""


def report() -> GroupReport:
    """What there is to tell."""
    try:
        return GroupReport(group=KafkaGroup(KafkaSettings.load()).read(timeout_s=REQUEST_S))
    except ConsumerError as error:
        return GroupReport(trouble=str(error))


def main() -> None:
    """Whatever a library prints must not get in between."""
    own = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with os.fdopen(own, "wb") as output:
        output.write(msgspec.json.encode(report()))


if __name__ == "__main__":
    main()
