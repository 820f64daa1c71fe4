"""What `deploy/kubernetes` comes to, and what the schemas have to say about it."""

import functools
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from devstack import build

ROOT = Path(__file__).parents[1]
OVERLAYS = ("development", "production")
KUBERNETES = "1.34"  # the API server of `make test-deploy` is of this version too

Manifest = dict[str, Any]


@functools.cache
def _built(overlay: str) -> str:
    command = [str(build.kustomize_binary()), "build", str(ROOT / "deploy/kubernetes/overlays" / overlay)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def manifests(overlay: str) -> list[Manifest]:
    """All that an overlay deploys."""
    return list(yaml.safe_load_all(_built(overlay)))


def one(overlay: str, kind: str, component: str = "") -> Manifest:
    """The overlay's only manifest of this kind and component; '' is what belongs to the consumers, or to all."""
    [found] = [
        manifest for manifest in manifests(overlay) if manifest["kind"] == kind and _component(manifest) == component
    ]
    return found


def _component(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("labels", {}).get("app.kubernetes.io/component", ""))


def container(overlay: str, kind: str, component: str = "") -> Manifest:
    """The only container of its pods."""
    [found] = one(overlay, kind, component)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def complaint(manifest: Manifest) -> str:
    """What the schema of its kind says against it, '' for nothing. What the schema does not know is refused."""
    try:
        if custom := definitions().get((manifest["apiVersion"], manifest["kind"])):
            jsonschema.validate(manifest, custom)
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except (jsonschema.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return str(error.message)
    return ""


@functools.cache
def definitions() -> Mapping[tuple[str, str], Manifest]:
    """Schemas of custom resources, by version and kind, out of the definitions that a cluster is given."""
    return dict(_schemas())


def _schemas() -> Iterator[tuple[tuple[str, str], Manifest]]:
    for path in build.resource_definitions().glob("*.yaml"):
        spec = yaml.safe_load(path.read_text())["spec"]
        for version in spec["versions"]:
            schema = _closed(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            yield (f"{spec['group']}/{version['name']}", spec["names"]["kind"]), schema


def _closed(schema: Any) -> Any:
    """As JSON schema, and taking no property that it does not name: a server would drop it without a word."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(part) for key, part in schema.items()}
    if (
        "properties" in schema
        and isinstance(schema.get("type"), str)
        and not schema.get("x-kubernetes-preserve-unknown-fields")
    ):
        closed.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        closed.pop("type", None)
    if isinstance(schema.get("pattern"), str):  # Go allows a flag behind the beginning, Python before it only
        closed["pattern"] = schema["pattern"].replace("^(?i)", "(?i)^")
    return closed
