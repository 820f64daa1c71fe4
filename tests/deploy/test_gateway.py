"""The gateway's manifests: they agree with what they deploy, let in what is meant to come in, and nothing else."""

import re

import pytest

from consumer.observability.site import PATHS
from consumer.settings.variables import parse_duration_s
from harness.manifests import ROOT, Manifest, container, manifests, one
from tests.deploy.settings import missing, unknown
from tests.deploy.test_kubernetes import egress_of, settings_of

OVERLAY, COMPONENT = "production", "gateway"


def spec(kind: str) -> Manifest:
    return dict(one(OVERLAY, kind, COMPONENT)["spec"])


def pod() -> Manifest:
    return dict(spec("Deployment")["template"]["spec"])


def gateway() -> Manifest:
    return container(OVERLAY, "Deployment", COMPONENT)


def settings() -> dict[str, str]:
    """Its variables; '' where a secret has the value."""
    own = {variable["name"]: variable.get("value", "") for variable in gateway()["env"]}
    return {**one(OVERLAY, "ConfigMap")["data"], **own}


def test_variables_are_settings() -> None:
    """Each is read by somebody, each that must be set is, and so is one of those that let anybody in."""
    assert unknown(settings()) == set()
    assert missing(settings()) == set()
    assert settings()["SPLEETER_API_KEY_FILE"]


def test_it_is_of_the_consumers_service() -> None:
    """The same brokers, buckets and registry, by the same settings; its key of the store is its own."""
    replica = container(OVERLAY, "StatefulSet")
    assert gateway()["args"] == ["api"]
    assert gateway()["envFrom"] == replica["envFrom"]
    assert gateway()["image"] == container(OVERLAY, "Job")["image"]
    names = {"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"}
    secrets = {
        each["valueFrom"]["secretKeyRef"]["name"]
        for found in (gateway(), replica)
        for each in found["env"]
        if each["name"] in names
    }
    assert secrets == {"spleeter-consumer-minio", "spleeter-consumer-gateway-minio"}


def test_keys_are_mounted_where_they_are_looked_for() -> None:
    """From a secret that no manifest holds, as a file, which is followed when it changes."""
    mounts = {mount["name"]: mount for mount in gateway()["volumeMounts"]}
    [volume] = [volume for volume in pod()["volumes"] if "secret" in volume and volume["name"] != "authority"]
    [item] = volume["secret"]["items"]
    mount = mounts[volume["name"]]
    assert settings()["SPLEETER_API_KEY_FILE"] == f"{mount['mountPath']}/{item['path']}"
    assert "subPath" not in mount  # such a file would stay as it was
    assert mount["readOnly"] is True


def test_its_index_has_room() -> None:
    """It lies in a volume that may be written to, which goes with the pod."""
    [mount] = [mount for mount in gateway()["volumeMounts"] if mount["mountPath"] == settings()["INDEX_DIR"]]
    [volume] = [volume for volume in pod()["volumes"] if volume["name"] == mount["name"]]
    assert volume["emptyDir"]["sizeLimit"]
    assert not mount.get("readOnly")


def test_ports_agree() -> None:
    """Probes, service, monitor, ingress and network policy all mean the port on which it answers."""
    port = int(settings()["HTTP_PORT"])
    assert settings()["HTTP_HOST"] == "0.0.0.0"
    assert [(p["name"], p["containerPort"]) for p in gateway()["ports"]] == [("http", port)]
    pages = {kind: gateway()[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert {kind: get["path"] for kind, get in pages.items()} == {
        "startup": "/started", "readiness": "/ready", "liveness": "/health",
    }  # fmt: skip
    assert {get["port"] for get in pages.values()} == {"http"}
    assert [(p["name"], p["targetPort"]) for p in spec("Service")["ports"]] == [("http", "http")]
    [rule] = spec("NetworkPolicy")["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": port}]


def test_it_has_time_to_finish() -> None:
    """It is killed later than it gives up by itself, and takes requests until nobody sends any here."""
    [program, seconds] = gateway()["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    grace_s = float(seconds) + parse_duration_s(settings()["SHUTDOWN_GRACE_S"])
    assert pod()["terminationGracePeriodSeconds"] > grace_s + 10


def test_the_same_pods_are_meant_by_all() -> None:
    """Deployment, service, disruption budget, network policies, spread and autoscaler; and not the consumers'."""
    labels = spec("Deployment")["template"]["metadata"]["labels"].items()
    selectors = [
        spec("Deployment")["selector"]["matchLabels"],
        spec("Service")["selector"],
        spec("PodDisruptionBudget")["selector"]["matchLabels"],
        spec("NetworkPolicy")["podSelector"]["matchLabels"],
        *(each["labelSelector"]["matchLabels"] for each in pod()["topologySpreadConstraints"]),
    ]
    consumers = one(OVERLAY, "StatefulSet")["spec"]["template"]["metadata"]["labels"].items()
    for selector in selectors:
        assert selector.items() <= labels
        assert not selector.items() <= consumers
    assert one(OVERLAY, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels
    target = spec("HorizontalPodAutoscaler")["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", one(OVERLAY, "Deployment", COMPONENT)["metadata"]["name"])


def test_one_may_go() -> None:
    """There are two at least, of which the disruption budget takes one; the autoscaler's figure survives an apply."""
    scaler = spec("HorizontalPodAutoscaler")
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
    assert spec("PodDisruptionBudget")["maxUnavailable"] == 1
    assert "replicas" not in spec("Deployment")
    [metric] = scaler["metrics"]
    assert metric["resource"]["name"] in gateway()["resources"]["requests"]


@pytest.mark.parametrize("path", sorted(PATHS))
def test_what_is_for_operators_stays_inside(path: str) -> None:
    """Probes and metrics are on the API's port; no path that is let in leads to them."""
    for rule in spec("Ingress")["rules"]:
        for allowed in rule["http"]["paths"]:
            assert not (path + "/").startswith(allowed["path"].rstrip("/") + "/"), allowed


def test_the_api_is_let_in() -> None:
    """To the service, at the host of the certificate, from the controller's namespace."""
    [rule], [tls] = spec("Ingress")["rules"], spec("Ingress")["tls"]
    assert tls["hosts"] == [rule["host"]]
    assert "/v1" in [path["path"] for path in rule["http"]["paths"]]
    service = one(OVERLAY, "Service", COMPONENT)["metadata"]["name"]
    assert {path["backend"]["service"]["name"] for path in rule["http"]["paths"]} == {service}
    [peer] = spec("NetworkPolicy")["ingress"][0]["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": spec("Ingress")["ingressClassName"].replace("nginx", "ingress-nginx")
    }


def test_it_may_ask_who_issues_tokens() -> None:
    """By https, anywhere but on the node's own addresses; to brokers and store it comes by the base's policy."""
    added = egress_of(one(OVERLAY, "NetworkPolicy", COMPONENT))
    assert added == {("0.0.0.0/0", "TCP", 443), ("::/0", "TCP", 443)}


def test_every_secret_is_on_the_page() -> None:
    """Each that a pod or KEDA refers to is one that the page has made, with the keys that are asked for."""
    text = (ROOT / "docs/deploy.md").read_text()
    made = {
        name: set(re.findall(r"--from-(?:literal|file)=([\w.-]+)=", options))
        for name, options in re.findall(r"create secret generic (\S+)(.*)$", text, re.MULTILINE)
    }
    asked: dict[str, set[str]] = {}
    for manifest in manifests(OVERLAY):
        for name, key in _references(manifest):
            asked.setdefault(name, set()).add(key)
    assert asked.keys() == made.keys() - {"spleeter-consumer-webhooks"}  # which a component asks for that is not in it
    for name, keys in asked.items():
        assert keys <= made[name], name


def _references(part: object) -> list[tuple[str, str]]:
    """Secrets and their keys, wherever they are referred to."""
    if isinstance(part, list):
        return [found for each in part for found in _references(each)]
    if not isinstance(part, dict):
        return []
    found = [pair for each in part.values() for pair in _references(each)]
    if "secretKeyRef" in part:
        found.append((part["secretKeyRef"]["name"], part["secretKeyRef"]["key"]))
    if "parameter" in part:
        found.append((part["name"], part["key"]))
    if isinstance(part.get("secret"), dict):
        found += [(part["secret"]["secretName"], item["key"]) for item in part["secret"]["items"]]
    return found


def test_the_consumers_settings_are_not_changed_by_it() -> None:
    """They know nothing of keys and index."""
    assert not {"SPLEETER_API_KEY_FILE", "INDEX_DIR"} & settings_of(OVERLAY).keys()
