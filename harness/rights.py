"""The rights that docs/security.md lists, as Kafka's authorizer takes them; nothing else knows them.

`python -m harness.rights` writes them into deploy/kafka: as commands, and as users of Strimzi's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from consumer.settings import KafkaSettings, ServiceSettings, TopicSettings
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


# --- what is shipped ---

SHIPPED = DOCS.parent / "deploy/kafka"
_OPTIONS = {"topic": "--topic", "group": "--group", "transactional id": "--transactional-id"}
_STRIMZI = {"topic": "topic", "group": "group", "transactional id": "transactionalId", "cluster": "cluster"}


def _default_names(place: str) -> Sequence[str]:
    """What a place stands for where no variable of topics, group and retries is set."""
    topics = {group.variable(name): str(field.default) for group in (TopicSettings, KafkaSettings)
              for name, field in group.model_fields.items()}  # fmt: skip
    if place == "<requests>.retry-n":
        delays = ServiceSettings.model_fields["retry_delays"].default
        return [f"{topics['TOPIC_REQUESTS']}.retry-{number}" for number in range(1, len(delays) + 1)]
    return [place if place == "kafka-cluster" else topics[place]]


def acl_commands(role: str) -> str:
    """A shell script that gives a role's rights to the user that is its second argument."""
    lines = [
        "#!/bin/sh",
        f"# What docs/security.md lists for {_ARTICLE.get(role, 'a')} {role}; written by `python -m harness.rights`.",
        f"# sh {role}.sh BROKERS USER [further options, such as --command-config admin.properties]",
        "set -eu",
        "brokers=$1 user=$2",
        "shift 2",
        'allow() { kafka-acls.sh --bootstrap-server "$brokers" --add --allow-principal "User:$user" "$@"; }',
    ]
    for right in rights_of(role):
        for name in _default_names(right.place):
            what = "--cluster" if right.kind == "cluster" else f"{_OPTIONS[right.kind]} {name}"
            pattern = " --resource-pattern-type prefixed" if right.is_prefix else ""
            lines.append(f'allow --operation {right.operation.replace(" ", "")} {what}{pattern} "$@"')
    return "\n".join(lines) + "\n"


def kafka_user(role: str) -> str:
    """A KafkaUser of Strimzi's with a role's rights."""
    lines = [
        f"# What docs/security.md lists for {_ARTICLE.get(role, 'a')} {role}; written by `python -m harness.rights`.",
        "apiVersion: kafka.strimzi.io/v1beta2",
        "kind: KafkaUser",
        "metadata:",
        f"  name: spleeter-{role}",
        "  labels: {strimzi.io/cluster: kafka}",
        "spec:",
        "  authentication: {type: scram-sha-512}",
        "  authorization:",
        "    type: simple",
        "    acls:",
    ]
    for right in rights_of(role):
        for name in _default_names(right.place):
            pattern = "prefix" if right.is_prefix else "literal"
            place = "" if right.kind == "cluster" else f", name: {name}, patternType: {pattern}"
            lines.append(f"      - resource: {{type: {_STRIMZI[right.kind]}{place}}}")
            lines.append(f"        operations: [{right.operation.replace(' ', '')}]")
    return "\n".join(lines) + "\n"


def shipped() -> Mapping[Path, str]:
    """Each file of deploy/kafka, and what it is to hold."""
    found = {SHIPPED / f"{role}.sh": acl_commands(role) for role in ROLES}
    return found | {SHIPPED / f"{role}.yaml": kafka_user(role) for role in ROLES}


if __name__ == "__main__":
    SHIPPED.mkdir(exist_ok=True)
    for path, text in shipped().items():
        path.write_text(text)
