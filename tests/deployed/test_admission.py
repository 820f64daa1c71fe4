"""What a running API server takes of our manifests, and what it refuses: pod security, rules across fields."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from devstack import build
from devstack.kubernetes import Cluster
from devstack.kubernetes import cluster as new_cluster
from harness.manifests import OVERLAYS, ROOT, manifests, one
from harness.waiting import wait_for
from tests.deploy.broken import BROKEN, Broken

pytestmark = pytest.mark.deploy
NAMESPACE, PAGE = "separation", ROOT / "docs/deploy.md"
# What a violation of pod security is: a warning for a StatefulSet, since only its pods are refused.
_POD_SECURITY = ("privileged", "as-root", "host-path")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with new_cluster(tmp_path_factory.mktemp("cluster")) as running:
        running.define()
        running.apply([one("production", "Namespace")])
        yield running


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_api_server_accepts_the_overlay(cluster: Cluster, overlay: str) -> None:
    """Without an error, an unknown field or a warning."""
    ran = cluster.kubectl(
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "--filename",
        "-",
        feed=yaml.safe_dump_all(manifests(overlay)),
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.splitlines()) == len(manifests(overlay))


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_api_server_refuses_what_is_broken(cluster: Cluster, broken: Broken) -> None:
    """Each broken manifest is refused; of one that offends pod security, it says so."""
    manifest = yaml.safe_dump(broken.manifest())
    ran = cluster.kubectl("create", "--dry-run=server", "--validate=strict", "--filename", "-", feed=manifest)
    if broken.name in _POD_SECURITY:
        assert 'would violate PodSecurity "restricted' in ran.stderr
    else:
        assert ran.returncode != 0


@pytest.mark.parametrize("name", _POD_SECURITY)
def test_pods_against_pod_security_are_refused(cluster: Cluster, name: str) -> None:
    """Not only warned of: the pod itself does not come to be."""
    [broken] = [broken for broken in BROKEN if broken.name == name]
    template = broken.manifest()["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": template["metadata"]["labels"]},
        "spec": {**template["spec"], "serviceAccountName": "default"},
    }
    ran = cluster.kubectl("create", "--dry-run=server", "--filename", "-", feed=yaml.safe_dump(pod))
    assert ran.returncode != 0
    assert "violates PodSecurity" in ran.stderr


def test_pods_come_to_be(cluster: Cluster) -> None:
    """The controllers make as many pods as are wanted, all at once, named by number."""
    cluster.apply(manifests("development"))
    wait_for(lambda: len(_pods(cluster)) == 2)
    assert _pods(cluster) == ["spleeter-consumer-0", "spleeter-consumer-1"]
    cluster.done("scale", "statefulset/spleeter-consumer", "--replicas=0", "--namespace", NAMESPACE)
    wait_for(lambda: _pods(cluster) == [])


def test_documented_commands_work(cluster: Cluster, tmp_path: Path) -> None:
    """Those of docs/deploy.md, as they stand there, but for the one that waits for a node.

    Then the last block once more, after a setting has changed, with the Job of the first time still there.
    """
    (tmp_path / "ca.crt").write_text("a certificate")
    (tmp_path / "endpoints.json").write_text('{"endpoints": []}')
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    blocks = [
        commands
        for block in re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        if (commands := [line for line in block.splitlines() if line.startswith("kubectl ") and " wait " not in line])
    ]
    assert [len(commands) for commands in blocks] == [3, 1, 2, 1, 3]
    _run(cluster, [command for commands in blocks for command in commands], tmp_path)
    referred = one("production", "TriggerAuthentication")["spec"]["secretTargetRef"]
    for name in ("spleeter-consumer-kafka", "spleeter-consumer-ca"):
        secret = cluster.get("secret", name, "--namespace", NAMESPACE)
        assert secret["data"].keys() == {reference["key"] for reference in referred if reference["name"] == name}

    overlay, address = tmp_path / "deploy/kubernetes/overlays/production/kustomization.yaml", "clamd.clamav.svc:3310"
    assert overlay.read_text().count(address) == 1
    overlay.write_text(overlay.read_text().replace(address, "scanner.clamav.svc:3310"))
    before = _settings_of_the_job(cluster)
    _run(cluster, blocks[-1], tmp_path)
    assert _settings_of_the_job(cluster) != before


def _run(cluster: Cluster, commands: list[str], folder: Path) -> None:
    """As in a shell whose folder is the repository's."""
    shell = "\n".join(
        [
            f"CA_FILE={folder / 'ca.crt'}",
            f"ENDPOINTS_FILE={folder / 'endpoints.json'}",
            f'kubectl() {{ "{build.kubernetes_binaries()}/kubectl" --kubeconfig="{cluster.kubeconfig}" "$@"; }}',
            *commands,
        ]
    )
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", shell],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr


def _settings_of_the_job(cluster: Cluster) -> str:
    """The name of the ConfigMap that it reads, which its content is in."""
    [found] = cluster.get("jobs", "--namespace", NAMESPACE)["items"]
    [source] = found["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    return str(source["configMapRef"]["name"])


def _pods(cluster: Cluster) -> list[str]:
    found = cluster.get("pods", "--namespace", NAMESPACE, "--selector", "app.kubernetes.io/component=consumer")
    return sorted(pod["metadata"]["name"] for pod in found["items"])
