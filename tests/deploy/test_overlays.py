"""What an operator changes in a copy of an overlay, and what it brings beside the pods: alerts and dashboard."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import yaml

from devstack import build
from harness.alerts import RULE, prometheus_rule, shipped
from harness.manifests import ROOT, complaint, container, manifests, one
from tests.monitoring.test_deploy import RUNBOOKS


def images(overlay: str) -> set[str]:
    return {
        container["image"]
        for manifest in manifests(overlay)
        if manifest["kind"] in ("StatefulSet", "Deployment", "Job")
        for container in manifest["spec"]["template"]["spec"]["containers"]
    }


def test_images_are_where_the_overlay_says() -> None:
    """Production: of this version, by name; development: those that the documented commands build, and never pulled."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    registry = "registry.example.com"
    assert images("production") == {
        f"{registry}/spleeter-consumer:{version}", f"{registry}/spleeter-consumer-tools:{version}",
    }  # fmt: skip
    built = re.findall(r"^docker build .* -t (\S+) \.$", (ROOT / "docs/deploy.md").read_text(), re.MULTILINE)
    assert images("development") == {f"{name}:latest" for name in built}
    for kind in ("StatefulSet", "Job"):
        assert container("development", kind)["imagePullPolicy"] == "IfNotPresent"


def test_images_are_said_in_one_place(tmp_path: Path) -> None:
    """Whoever changes the overlay's lines, as the page says, changes every pod's image."""
    built = built_with(tmp_path, "registry.example.com/", "ghcr.io/me/")
    assert "ghcr.io/me/spleeter-consumer:" in built
    assert "registry.example.com" not in built


def built_with(folder: Path, old: str, new: str) -> str:
    """What the production overlay comes to where a copy of it has this in place of that."""
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    overlay = folder / "deploy/kubernetes/overlays/production/kustomization.yaml"
    assert old in overlay.read_text()
    overlay.write_text(overlay.read_text().replace(old, new))
    return subprocess.run(
        [build.kustomize_binary(), "build", overlay.parent],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout


def test_a_store_outside_may_be_reached(tmp_path: Path) -> None:
    """With the component, by https alone and by the replicas alone; keys of a role take the place of the secret."""
    component = "  - ../../components/outside-store\n"
    built = list(yaml.safe_load_all(built_with(tmp_path, "components:\n", f"components:\n{component}")))
    assert {manifest["kind"]: complaint(manifest) for manifest in built if complaint(manifest)} == {}
    [added] = [m for m in built if m["kind"] == "NetworkPolicy" and m not in manifests("production")]
    [rule] = added["spec"]["egress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 443}]
    assert {peer["ipBlock"]["cidr"] for peer in rule["to"]} == {"0.0.0.0/0", "::/0"}
    [replica] = [m["spec"]["template"] for m in built if m["kind"] == "StatefulSet"]
    wanted = added["spec"]["podSelector"]["matchLabels"].items()
    assert wanted <= replica["metadata"]["labels"].items()
    for kind, of in (("Deployment", "lag-exporter"), ("Job", "")):
        assert not wanted <= one("production", kind, of)["spec"]["template"]["metadata"]["labels"].items()
    keys = {variable["name"]: variable for variable in replica["spec"]["containers"][0]["env"]}
    shipped_keys = {variable["name"]: variable for variable in container("production", "StatefulSet")["env"]}
    for name in ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
        assert keys[name]["valueFrom"]["secretKeyRef"] == {
            **shipped_keys[name]["valueFrom"]["secretKeyRef"], "optional": True,
        }  # fmt: skip
    assert keys.keys() == shipped_keys.keys()


def test_alerts_are_the_ones_that_are_shipped() -> None:
    """The operator's rules are alerts.yml word for word, as the generator writes them."""
    assert RULE.read_text() == prometheus_rule()
    rules = one("production", "PrometheusRule", "alerts")["spec"]
    assert rules["groups"] == shipped()["groups"]


def test_alerts_lead_to_where_the_overlay_says(tmp_path: Path) -> None:
    """Its one line sets the beginning of each link; the section stays."""
    overlay = ROOT / "deploy/kubernetes/overlays/production/kustomization.yaml"
    assert overlay.read_text().count(RUNBOOKS) == 1
    built = built_with(tmp_path, RUNBOOKS, "https://wiki.example.org/separation/")
    [rule] = [m for m in yaml.safe_load_all(built) if m["kind"] == "PrometheusRule"]
    links = {each["alert"]: each["annotations"]["runbook_url"] for each in rule["spec"]["groups"][0]["rules"]}
    assert links == {name: f"https://wiki.example.org/separation/#{name.lower()}" for name in links}


def test_dashboard_is_the_one_that_is_shipped() -> None:
    """Under the label that Grafana's sidecar looks for."""
    found = one("production", "ConfigMap", "dashboard")
    [text] = found["data"].values()
    assert json.loads(text) == json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
