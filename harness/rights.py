"""The rights that docs/security.md lists, as Kafka's authorizer takes them; nothing else knows them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from harness.pages import DOCS, table

ROLES = ("replica", "gateway", "client", "operator")
_ARTICLE = {"operator": "an"}
_KINDS = {
    "topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "transactional id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What one operation on one kind of thing is. place: a variable's name, `<requests>.retry-n`, or `kafka-cluster`.

    is_prefix: whether all are meant that begin with the variable's value.
    """

    kind: str
    place: str
    operation: str
    is_prefix: bool = False

    def __str__(self) -> str:
        return f"{self.operation} on {self.kind} {self.place}"


def rights_of(role: str) -> list[Right]:
    """Those that the page lists for a role, one for each operation."""
    return [
        Right(kind=kind, place=place, operation=operation.strip(), is_prefix="begin with" in which)
        for kind, which, operations in table(DOCS / "security.md", f"rights of {_ARTICLE.get(role, 'a')} {role}")
        for place in re.findall(r"`(.+?)`", which)
        for operation in operations.split(",")
    ]


def names_of(environment: Mapping[str, str], place: str) -> Sequence[str]:
    """What a place stands for where these variables are set; there are two retry topics."""
    if place == "<requests>.retry-n":
        return [f"{environment['TOPIC_REQUESTS']}.retry-{number}" for number in (1, 2)]
    return [place if place == "kafka-cluster" else environment[place]]


def bindings(rights: Sequence[Right], environment: Mapping[str, str], user: str) -> list[AclBinding]:
    """What an administrator gives that user."""
    return [
        AclBinding(
            _KINDS[right.kind],
            name,
            ResourcePatternType.PREFIXED if right.is_prefix else ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            AclOperation[right.operation.upper().replace(" ", "_")],
            AclPermissionType.ALLOW,
        )
        for right in rights
        for name in names_of(environment, right.place)
    ]
