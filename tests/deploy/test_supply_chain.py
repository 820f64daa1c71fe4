"""What a release is made of: bills of materials by CycloneDX's own schema, licences as they are, digests throughout."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.licenses import canonicalize_license_expression

from harness import supply_chain

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VENDORED = ROOT / "consumer/gateway/api_docs/swagger_ui"


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    """The wheel's, as `make sbom` writes it; valid by the schema that CycloneDX publishes."""
    text = supply_chain.bill_of_wheel()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def test_the_schema_says_something(bill: dict[str, Any]) -> None:
    """Of a bill that is none."""
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    nameless = {key: value for key, value in bill["components"][0].items() if key != "name"}
    wrongs: list[dict[str, Any]] = [
        {"components": [nameless]},
        {"bomFormat": "CycloneDY"},
        {"components": {}},
        {"surprise": 1},
    ]
    for wrong in wrongs:
        assert validator.validate_str(json.dumps(bill | wrong)) is not None


def test_the_bill_names_what_the_lock_pins(bill: dict[str, Any]) -> None:
    """Each package of the wheel's dependencies, and of theirs, in the version and with the digests of uv.lock."""
    locked = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]:
        files = [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
        hashes = {file["hash"].removeprefix("sha256:") for file in files if "hash" in file}
        locked[package["name"], package["version"]] = hashes
    found = {(re.sub("[_.]", "-", each["name"].lower()), each["version"]): each for each in bill["components"]}
    assert len(found) > 100
    assert found.keys() <= locked.keys()
    for key, component in found.items():
        digests = {h["content"] for place in component["externalReferences"] for h in place.get("hashes", [])}
        assert digests
        assert digests <= locked[key], key
    direct = {re.split(r"[\[<>=; ]", need)[0].lower() for need in PROJECT["dependencies"]}
    assert direct <= {name for name, _ in found}
    assert not {"pytest", "ruff", "hypothesis"} & {name for name, _ in found}
    assert bill["metadata"]["component"]["name"] == PROJECT["name"]
    assert bill["metadata"]["component"]["version"] == PROJECT["version"]


def test_licences_of_others_are_listed() -> None:
    """`make sbom` would change nothing; each package says what it is under."""
    page = supply_chain.LICENSES.read_text()
    assert page == supply_chain.licenses()
    rows = re.findall(r"^\| (\S+) \| (\d\S*) \| (.+) \| \S+ \|$", page, re.MULTILINE)
    assert len(rows) > 100
    assert [name for name, _, license_ in rows if license_ in ("UNKNOWN", "")] == []


def test_the_wheels_licence_is_that_of_all_that_is_in_it() -> None:
    """An SPDX expression; what is vendored has its text and notice in the wheel."""
    assert canonicalize_license_expression(PROJECT["license"]) == PROJECT["license"]
    assert "Apache License" in (VENDORED / "LICENSE").read_text()
    assert set(PROJECT["license"].split(" AND ")) >= {"MIT", "Apache-2.0", "BSD-3-Clause"}
    files = {path.relative_to(ROOT) for pattern in PROJECT["license-files"] for path in ROOT.glob(pattern)}
    wanted = ["LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"]
    assert files >= {
        Path("LICENSE"),
        Path("THIRD_PARTY_LICENSES.md"),
        *((VENDORED / n).relative_to(ROOT) for n in wanted),
    }
    texts = re.compile("licen[cs]e|notice|copying", re.IGNORECASE)
    kept = (path for path in (ROOT / "consumer").rglob("*") if path.suffix not in (".py", ".pyc"))
    others = [path for path in kept if path.is_file() and texts.match(path.name)]
    assert {path.parent for path in others} == {VENDORED}


def test_the_images_licences_are_an_expression_that_holds_the_wheels() -> None:
    """Of this project's images; each is given one, and that of ffmpeg's package where ffmpeg is in it."""
    labels = dict(
        re.findall(
            r'image\.title="([^"]+)".*?image\.licenses="([^"]+)"',
            (ROOT / "deploy/docker/Dockerfile").read_text(),
            re.DOTALL,
        )
    )
    assert len(labels) == 3
    ffmpeg = tomllib.loads((ROOT / "small_ffmpeg/pyproject.toml").read_text())["project"]["license"]
    for title, label in labels.items():
        assert canonicalize_license_expression(label) == label
        assert set(label.split(" AND ")) >= set(PROJECT["license"].split(" AND "))
        assert title.endswith("-tools") or set(label.split(" AND ")) >= set(ffmpeg.split(" AND "))
