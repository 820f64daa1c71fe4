"""The manifests are what a cluster takes, and agree with what they deploy."""

import re
from pathlib import Path

import pytest
import yaml

from consumer.settings.variables import parse_duration_s
from harness.exported import exported_names
from harness.manifests import OVERLAYS, ROOT, Manifest, complaint, container, manifests, one
from tests.deploy.broken import BROKEN, Broken
from tests.deploy.settings import missing, unknown
from tests.monitoring.conftest import Promtool
from tests.monitoring.conftest import promtool as promtool

EXPORTER, GATEWAY = "lag-exporter", "gateway"
PODS = [("StatefulSet", ""), ("Deployment", EXPORTER), ("Deployment", GATEWAY), ("Job", "")]


def settings_of(overlay: str) -> dict[str, str]:
    """Variables of the consumer's container: from its ConfigMap, and by itself ('' where a secret has the value)."""
    own = {variable["name"]: variable.get("value", "") for variable in container(overlay, "StatefulSet")["env"]}
    return {**one(overlay, "ConfigMap")["data"], **own}


def pod_of(overlay: str) -> Manifest:
    return dict(one(overlay, "StatefulSet")["spec"]["template"]["spec"])


def egress_of(policy: Manifest) -> set[tuple[str, str, int]]:
    """To where it lets pods connect: a namespace or a range of addresses, the protocol, the port."""
    return {
        (
            peer["ipBlock"]["cidr"]
            if "ipBlock" in peer
            else peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
            port["protocol"],
            port["port"],
        )
        for rule in policy["spec"]["egress"]
        for peer in rule["to"]
        for port in rule["ports"]
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_schemas_accept_everything(overlay: str) -> None:
    """Kubernetes', KEDA's and the Prometheus operator's schemas have nothing to say, unknown fields included."""
    assert {manifest["kind"]: complaint(manifest) for manifest in manifests(overlay) if complaint(manifest)} == {}


@pytest.mark.parametrize("broken", [b for b in BROKEN if b.schema_refuses], ids=lambda broken: broken.name)
def test_schemas_refuse_what_is_broken(broken: Broken) -> None:
    """And so would have said something."""
    assert complaint(broken.manifest())


def test_ten_of_the_broken_are_known_to_the_schemas() -> None:
    """The rest are left to a running API server."""
    assert sum(broken.schema_refuses for broken in BROKEN) == 10


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_variables_are_settings(overlay: str) -> None:
    """Each variable is read by somebody, and each that must be set is."""
    assert unknown(settings_of(overlay)) == set()
    assert missing(settings_of(overlay)) == set()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_replica_has_time_to_finish(overlay: str) -> None:
    """It is killed later than it gives up by itself."""
    assert (
        pod_of(overlay)["terminationGracePeriodSeconds"]
        > parse_duration_s(settings_of(overlay)["SHUTDOWN_GRACE_S"]) + 10
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_membership_is_not_static(overlay: str) -> None:
    """A static member that is scaled away would keep its partitions for a session's time."""
    assert "INSTANCE_ID" not in settings_of(overlay)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ports_agree(overlay: str) -> None:
    """Probes, service, monitor and network policy all mean the port on which the replica answers."""
    port, spec = int(settings_of(overlay)["HTTP_PORT"]), container(overlay, "StatefulSet")
    assert settings_of(overlay)["HTTP_HOST"] == "0.0.0.0"
    assert [(p["name"], p["containerPort"]) for p in spec["ports"]] == [("http", port)]
    pages = {kind: spec[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert {kind: get["path"] for kind, get in pages.items()} == {
        "startup": "/started", "readiness": "/ready", "liveness": "/health",
    }  # fmt: skip
    assert {get["port"] for get in pages.values()} == {"http"}
    assert [p["targetPort"] for p in one(overlay, "Service")["spec"]["ports"]] == ["http"]
    [ingress] = one(overlay, "NetworkPolicy")["spec"]["ingress"]
    assert ingress["ports"] == [{"protocol": "TCP", "port": port}]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_network_policy_lets_through_to_where_the_settings_point(overlay: str) -> None:
    """Every address that is set is one that may be reached: its namespace and its port."""
    reachable = {
        (peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], port["port"])
        for rule in one(overlay, "NetworkPolicy")["spec"]["egress"]
        for peer in rule["to"]
        if "namespaceSelector" in peer
        for port in rule["ports"]
    }
    settings = settings_of(overlay)
    addresses = [
        *settings["KAFKA_BOOTSTRAP_SERVERS"].split(","),
        settings["MINIO_ENDPOINT"],
        settings.get("CLAMD_ADDRESS", ""),
        settings.get("SCHEMA_REGISTRY_URL", "").removeprefix("http://").partition("/")[0],
    ]
    for address in filter(None, addresses):
        host, _, port = address.partition(":")
        assert (host.split(".")[1], int(port)) in reachable, address


def test_scaler_watches_what_the_consumers_read() -> None:
    """Its topics, group and brokers are theirs, each retry topic included, and it asks for no more than can work."""
    spec, settings = one("production", "ScaledObject")["spec"], settings_of("production")
    kafka = [trigger["metadata"] for trigger in spec["triggers"] if trigger["type"] == "kafka"]
    assert [trigger["topic"] for trigger in kafka] == [
        "separation.requests", *(f"separation.requests.retry-{number}" for number in (1, 2, 3)),
    ]  # fmt: skip
    assert {trigger["bootstrapServers"] for trigger in kafka} == {settings["KAFKA_BOOTSTRAP_SERVERS"]}
    assert {trigger["consumerGroup"] for trigger in kafka} == {settings.get("KAFKA_GROUP_ID", "spleeter-consumer")}
    assert {trigger["offsetResetPolicy"] for trigger in kafka} == {"earliest"}
    args = container("production", "Job")["args"]
    assert int(args[args.index("--partitions") + 1]) == spec["maxReplicaCount"]
    assert spec["scaleTargetRef"]["name"] == one("production", "StatefulSet")["metadata"]["name"]
    [query] = [trigger["metadata"]["query"] for trigger in spec["triggers"] if trigger["type"] == "prometheus"]
    assert set(re.findall(r"separation_\w+", query)) == {"separation_desired_replicas"} <= exported_names()
    assert set(re.findall(r'namespace="(\w+)"', query)) == {one("production", "Namespace")["metadata"]["name"]}
    assert re.findall(r'job="([^"]+)"', query) == [one("production", "Service")["metadata"]["name"]]


def test_scaler_takes_no_answer_for_no_work() -> None:
    """Where Prometheus is blind, no replica is taken away; where none runs, the exporter gives it something to see."""
    spec = one("production", "ScaledObject")["spec"]
    [trigger] = [trigger["metadata"] for trigger in spec["triggers"] if trigger["type"] == "prometheus"]
    assert trigger["ignoreNullValues"] == "false"
    assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"
    assert 1 <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    assert one("production", "Deployment", EXPORTER)["spec"]["replicas"] == 1


def test_query_of_the_scaler_prefers_what_replicas_measured(promtool: Promtool, tmp_path: Path) -> None:
    """Theirs where there are any, the exporter's assumption where there are none, one answer in either case."""
    triggers = one("production", "ScaledObject")["spec"]["triggers"]
    [query] = [trigger["metadata"]["query"] for trigger in triggers if trigger["type"] == "prometheus"]
    series = "separation_desired_replicas"
    replica = f'{series}{{namespace="separation",job="spleeter-consumer",instance="%s"}}'
    exporter = f'{series}{{namespace="separation",job="spleeter-consumer-lag"}}'
    case = {
        "interval": "1m",
        "input_series": [
            {"series": replica % "a", "values": "3x5 stale"},
            {"series": replica % "b", "values": "4x5 stale"},
            {"series": exporter, "values": "9x10 stale"},
            {"series": replica.replace('separation",job', 'another",job') % "c", "values": "7x20"},
        ],
        "promql_expr_test": [
            {"expr": query, "eval_time": "5m", "exp_samples": [{"labels": "{}", "value": 4}]},
            {"expr": query, "eval_time": "8m", "exp_samples": [{"labels": "{}", "value": 9}]},
            {"expr": query, "eval_time": "15m", "exp_samples": []},
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [case]}))
    promtool("test", "rules", str(tmp_path / "test.yml"))


def test_exporter_tells_of_the_consumers_group() -> None:
    """It has their settings and their secret of the brokers, none of the store, and Prometheus finds its page."""
    told, pods = container("production", "Deployment", EXPORTER), container("production", "StatefulSet")
    assert told["args"] == ["lag", "--serve"]
    assert told["envFrom"] == pods["envFrom"]
    assert {variable["name"] for variable in pods["env"]} - {variable["name"] for variable in told["env"]} == {
        "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY",
    }  # fmt: skip
    assert told["image"] == container("production", "Job")["image"]
    [port] = told["ports"]
    assert port == {"name": "http", "containerPort": int(settings_of("production")["HTTP_PORT"])}
    labels = one("production", "Deployment", EXPORTER)["spec"]["template"]["metadata"]["labels"].items()
    service = one("production", "Service", EXPORTER)
    assert service["spec"]["selector"].items() <= labels
    assert one("production", "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels
    scraped = ("", EXPORTER, GATEWAY)
    monitors = {
        component: one("production", "ServiceMonitor", component)["spec"]["selector"]["matchLabels"].items()
        for component in scraped
    }
    services = {
        component: one("production", "Service", component)["metadata"]["labels"].items() for component in scraped
    }
    taken = {(of, by) for of, found in services.items() for by, wanted in monitors.items() if wanted <= found}
    assert taken == {(component, component) for component in scraped}, "each is scraped once"


@pytest.mark.parametrize(("kind", "component"), PODS)
def test_every_pod_trusts_the_authority_that_is_given(kind: str, component: str) -> None:
    """The production overlay wants TLS: each pod that speaks it has the certificate where its variables say."""
    settings = settings_of("production")
    assert (settings["KAFKA_SECURITY_PROTOCOL"], settings["MINIO_SECURE"]) == ("SASL_SSL", "true")
    pod = one("production", kind, component)["spec"]["template"]["spec"]
    told = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
    [mount] = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "authority"]
    [volume] = [volume for volume in pod["volumes"] if volume["name"] == "authority"]
    [item] = volume["secret"]["items"]
    for variable in ("KAFKA_SSL_CA_LOCATION", "SSL_CERT_FILE", "OTEL_EXPORTER_OTLP_CERTIFICATE"):
        assert told[variable] == f"{mount['mountPath']}/{item['path']}"
    assert mount["readOnly"] is True
    assert (volume["secret"]["secretName"], item["key"]) == authority_of_keda()


def authority_of_keda() -> tuple[str, str]:
    """The secret and its key by which KEDA trusts the brokers."""
    references = one("production", "TriggerAuthentication")["spec"]["secretTargetRef"]
    [found] = [reference for reference in references if reference["parameter"] == "ca"]
    return found["name"], found["key"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_are_asked_of_the_node_and_traces_are_sent(overlay: str) -> None:
    """The cache of names on each node may be asked, and nothing else of its range; OTLP goes out by both ports."""
    reachable = egress_of(one(overlay, "NetworkPolicy"))
    addresses = {target for target in reachable if "/" in target[0]}
    assert addresses == {("169.254.20.10/32", protocol, 53) for protocol in ("UDP", "TCP")}
    assert {("observability", "TCP", port) for port in (4317, 4318)} <= reachable


def test_secrets_are_referred_to_never_held() -> None:
    """No manifest holds one."""
    for overlay in OVERLAYS:
        assert [m for m in manifests(overlay) if m["kind"] == "Secret"] == []
        assert not {n for n, value in settings_of(overlay).items() if value and ("SECRET" in n or "PASSWORD" in n)}


def test_labels_of_the_pods_are_what_is_selected() -> None:
    """Service, disruption budget, network policy and spread mean these pods."""
    for overlay in OVERLAYS:
        template = one(overlay, "StatefulSet")["spec"]["template"]
        labels = template["metadata"]["labels"].items()
        assert one(overlay, "Service")["spec"]["selector"].items() <= labels
        assert one(overlay, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels
        assert one(overlay, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels
        for constraint in template["spec"]["topologySpreadConstraints"]:
            assert constraint["labelSelector"]["matchLabels"].items() <= labels


def test_base_holds_no_replicas() -> None:
    """What a scaler has set is not undone by applying the manifests again."""
    assert "replicas" not in one("production", "StatefulSet")["spec"]
    assert "replicas" not in yaml.safe_load((ROOT / "deploy/kubernetes/base/stateful-set.yaml").read_text())["spec"]


@pytest.mark.parametrize(("kind", "component"), PODS)
def test_every_pod_is_restricted(kind: str, component: str) -> None:
    """No token of the API server's, no environment of other services, no root file system that may be written to."""
    pod = one("production", kind, component)["spec"]["template"]["spec"]
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [found] = pod["containers"]
    assert found["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert found["resources"]["limits"].keys() >= {"memory"}
    assert found["resources"]["requests"].keys() >= {"cpu", "memory"}
