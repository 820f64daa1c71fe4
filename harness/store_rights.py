"""The rights that the files of deploy/store give, one by one, as an administrator of MinIO gives them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.pages import DOCS

SHIPPED = DOCS.parent / "deploy/store"
_ARN = "arn:aws:s3:::"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRight:
    """One action on what a policy names: buckets `music` and `stems`, or what lies in them."""

    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.action.removeprefix('s3:')} on {self.resource}"


def store_rights(who: str) -> list[StoreRight]:
    """Those of a file of deploy/store, one for each action on each resource."""
    policy = json.loads((SHIPPED / f"{who}.json").read_text())
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Allow"}
    return [
        StoreRight(action=action, resource=resource.removeprefix(_ARN))
        for statement in policy["Statement"]
        for resource in statement["Resource"]
        for action in statement["Action"]
    ]


def policy_of(rights: Sequence[StoreRight], buckets: Mapping[str, str]) -> dict[str, object]:
    """A policy of these and no others. buckets: what stands for `music` and `stems`."""

    def named(resource: str) -> str:
        bucket, slash, rest = resource.partition("/")
        return f"{_ARN}{buckets[bucket]}{slash}{rest}"

    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": [right.action], "Resource": [named(right.resource)]} for right in rights
        ],
    }
