"""The component that tells tenants' servers: it agrees with what it deploys, and may go no further than it has to."""

import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from consumer.settings.variables import parse_duration_s
from harness.manifests import ROOT, Manifest, complaint, container, manifests, one
from tests.deploy.settings import unknown
from tests.deploy.test_overlays import built_with

NAME = "spleeter-consumer-webhooks"


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Manifest]:
    """What the component adds to the production overlay, put before what gives pods the authority."""
    folder, line = tmp_path_factory.mktemp("webhooks"), "  - ../../components/trusted-authority\n"
    built = yaml.safe_load_all(built_with(folder, line, f"  - ../../components/webhooks\n{line}"))
    return [manifest for manifest in built if manifest not in manifests("production")]


def of(added: Sequence[Manifest], kind: str) -> Manifest:
    [found] = [manifest for manifest in added if manifest["kind"] == kind]
    return found


def pod_of(added: Sequence[Manifest]) -> Manifest:
    return dict(of(added, "Deployment")["spec"]["template"]["spec"])


def test_schemas_accept_it(added: Sequence[Manifest]) -> None:
    """And it is all there."""
    assert {manifest["kind"]: complaint(manifest) for manifest in added if complaint(manifest)} == {}
    assert sorted(manifest["kind"] for manifest in added) == [
        "Deployment", "NetworkPolicy", "Service", "ServiceMonitor",
    ]  # fmt: skip
    assert {manifest["metadata"]["name"] for manifest in added} == {NAME}


def test_it_tells_of_the_consumers_outcomes(added: Sequence[Manifest]) -> None:
    """By their settings and their secret of the brokers; it has none of the store."""
    [found] = pod_of(added)["containers"]
    replica = container("production", "StatefulSet")
    assert (found["args"], found["envFrom"]) == (["webhooks"], replica["envFrom"])
    assert found["image"] == container("production", "Job")["image"]
    own = {variable["name"]: variable.get("value", "") for variable in found["env"]}
    assert unknown({**one("production", "ConfigMap")["data"], **own}) == set()
    assert not {name for name in own if name.startswith("MINIO_")}


def test_its_file_is_mounted_where_it_is_looked_for(added: Sequence[Manifest]) -> None:
    """From a secret that the page has made, as a folder, so that a new version is seen."""
    pod = pod_of(added)
    [found] = pod["containers"]
    told = {variable["name"]: variable.get("value") for variable in found["env"]}
    file = Path(told["WEBHOOKS_FILE"])
    [mount] = [mount for mount in found["volumeMounts"] if mount["mountPath"] == str(file.parent)]
    [volume] = [volume for volume in pod["volumes"] if volume["name"] == mount["name"]]
    [item] = volume["secret"]["items"]
    assert item["path"] == file.name
    assert "subPath" not in mount
    assert mount["readOnly"] is True
    page = (ROOT / "docs/deploy.md").read_text()
    assert f"create secret generic {volume['secret']['secretName']} --from-file={item['key']}=" in page


def test_it_trusts_the_authority_that_is_given(added: Sequence[Manifest]) -> None:
    """As all pods do in the production overlay."""
    [found] = pod_of(added)["containers"]
    told = {variable["name"]: variable.get("value") for variable in found["env"]}
    [mount] = [mount for mount in found["volumeMounts"] if mount["name"] == "authority"]
    assert str(told["SSL_CERT_FILE"]).startswith(f"{mount['mountPath']}/")


def test_it_is_restricted_and_has_time_to_finish(added: Sequence[Manifest]) -> None:
    """As every pod of ours."""
    pod, other = pod_of(added), one("production", "Deployment", "lag-exporter")["spec"]["template"]["spec"]
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"] == other["containers"][0]["securityContext"]
    assert pod["containers"][0]["resources"]["limits"].keys() >= {"memory"}
    grace_s = parse_duration_s(one("production", "ConfigMap")["data"]["SHUTDOWN_GRACE_S"])
    assert pod["terminationGracePeriodSeconds"] > grace_s + 10


def test_the_same_pods_are_meant_by_all(added: Sequence[Manifest]) -> None:
    """Service, monitor and network policies; and no others, nor are these taken for others."""
    labels = of(added, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    service = of(added, "Service")
    selectors = [
        of(added, "Deployment")["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        of(added, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]
    others = [
        one("production", "StatefulSet"),
        *(one("production", "Deployment", c) for c in ("gateway", "lag-exporter")),
    ]
    for selector in selectors:
        assert selector.items() <= labels
        for other in others:
            assert not selector.items() <= other["spec"]["template"]["metadata"]["labels"].items()
    assert one("production", "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels
    monitors = [of(added, "ServiceMonitor"), *(m for m in manifests("production") if m["kind"] == "ServiceMonitor")]
    taking = [
        m for m in monitors if m["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    ]
    assert taking == [of(added, "ServiceMonitor")]


def test_it_may_go_out_by_https_and_to_no_private_address(added: Sequence[Manifest]) -> None:
    """Each address of a private, shared or local network is left out, whichever way it is written."""
    [rule] = of(added, "NetworkPolicy")["spec"]["egress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 443}]
    blocks = [peer["ipBlock"] for peer in rule["to"]]

    def may_go(address: str) -> bool:
        def holds(network: str) -> bool:
            return ipaddress.ip_address(address) in ipaddress.ip_network(network)

        return any(holds(block["cidr"]) and not any(map(holds, block["except"])) for block in blocks)

    for address in ("8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1"):
        assert may_go(address), address
    for address in (
        "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.255.254", "192.168.1.1", "::1", "fe80::1",
        "fd00::1", "64:ff9b::a00:1", "::ffff:10.0.0.1", "2002:a00:1::1",
    ):  # fmt: skip
        assert not may_go(address), address


def test_the_pages_name_it() -> None:
    """Where it is started, and how its file gets there."""
    for page, words in (("deploy.md", "components/webhooks"), ("webhooks.md", "profile `webhooks`")):
        assert re.search(re.escape(words), (ROOT / "docs" / page).read_text())
