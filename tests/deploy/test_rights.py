"""The rights that are shipped are those of docs/security.md, to the operation."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from harness.rights import ROLES, SHIPPED, rights_of, shipped

USER = "somebody"


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.name)
def test_what_is_shipped_is_up_to_date(path: Path) -> None:
    """`python -m harness.rights` would change nothing; and there is no other file."""
    assert path.read_text() == shipped()[path]
    assert {each for each in SHIPPED.iterdir() if each.suffix in (".sh", ".yaml")} == set(shipped())


def granted_by_commands(role: str, folder: Path) -> set[tuple[str, str, str]]:
    """Kind, name and operation of each command's, as a stand-in for kafka-acls.sh is called."""
    tool = folder / "kafka-acls.sh"
    tool.write_text('#!/bin/sh\necho "$@" >> "$CALLS"\n')
    tool.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(folder / "calls")}
    script = str(SHIPPED / f"{role}.sh")
    subprocess.run(["sh", script, "broker:9092", USER, "--force"], env=environment, check=True, timeout=60)
    found = set()
    for line in (folder / "calls").read_text().splitlines():
        words = line.split()
        assert words[:5] == ["--bootstrap-server", "broker:9092", "--add", "--allow-principal", f"User:{USER}"]
        assert words[-1] == "--force"
        kind = words[7].removeprefix("--")
        found.add((kind.replace("-", ""), "" if kind == "cluster" else words[8], words[6]))
        assert ("prefixed" in words) == (kind == "transactional-id")
    return found


@pytest.mark.parametrize("role", ROLES)
def test_commands_and_manifests_say_the_same(role: str, tmp_path: Path) -> None:
    """Two readers of two formats find one set of rights, as large as the page's."""
    manifest = yaml.safe_load((SHIPPED / f"{role}.yaml").read_text())
    listed = {
        (acl["resource"]["type"].lower(), acl["resource"].get("name", ""), operation)
        for acl in manifest["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    }
    assert listed == granted_by_commands(role, tmp_path)
    retries = sum(right.place == "<requests>.retry-n" for right in rights_of(role))
    assert len(listed) == len(rights_of(role)) + 2 * retries  # three topics each, of which one is counted
    assert manifest["spec"]["authorization"]["type"] == "simple"
