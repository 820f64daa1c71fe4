"""Ways to get a manifest wrong that somebody has to notice: ten the schemas know, the others only an API server."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

from harness.manifests import Manifest, one

Break = Callable[[Manifest], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """`schema_refuses` is False where only a running API server can know: pod security, names, ranges across fields."""

    name: str
    kind: str
    by: Break
    schema_refuses: bool = True

    def manifest(self) -> Manifest:
        broken = copy.deepcopy(one("production", self.kind))
        self.by(broken)
        return broken


def _pod(manifest: Manifest) -> Manifest:
    return manifest["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def _privileged(manifest: Manifest) -> None:
    _pod(manifest)["containers"][0]["securityContext"] = {"privileged": True}


def _root(manifest: Manifest) -> None:
    _pod(manifest)["securityContext"].update(runAsNonRoot=False, runAsUser=0)


def _host_path(manifest: Manifest) -> None:
    _pod(manifest)["volumes"].append({"name": "host", "hostPath": {"path": "/"}})


def _lag_as_number(manifest: Manifest) -> None:
    manifest["spec"]["triggers"][0]["metadata"]["lagThreshold"] = 10


def _misspelt_grace(manifest: Manifest) -> None:
    pod = _pod(manifest)
    pod["terminationGracePeriodSecond"] = pod.pop("terminationGracePeriodSeconds")


def _two_handlers(manifest: Manifest) -> None:
    _pod(manifest)["containers"][0]["livenessProbe"]["tcpSocket"] = {"port": "http"}


def _size_in_words(manifest: Manifest) -> None:
    _pod(manifest)["volumes"][1]["emptyDir"]["sizeLimit"] = "ten gigabytes"


def _other_pods(manifest: Manifest) -> None:
    manifest["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] = "gateway"


def _port_as_word(manifest: Manifest) -> None:
    manifest["spec"]["egress"][1]["ports"][0]["protocol"] = "KAFKA"


def _both_bounds(manifest: Manifest) -> None:
    manifest["spec"]["minAvailable"] = 1


def _no_target(manifest: Manifest) -> None:
    del manifest["spec"]["scaleTargetRef"]["name"]


def _secret_without_key(manifest: Manifest) -> None:
    del manifest["spec"]["secretTargetRef"][0]["key"]


def _replicas_in_words(manifest: Manifest) -> None:
    manifest["spec"]["replicas"] = "3"


def _nameless(manifest: Manifest) -> None:
    del _pod(manifest)["containers"][0]["name"]


def _number_as_variable(manifest: Manifest) -> None:
    _pod(manifest)["containers"][0]["env"].append({"name": "MAX_JOB_S", "value": 1800})


def _rule_of_another_kind(manifest: Manifest) -> None:
    manifest["spec"]["egress"][0]["from"] = manifest["spec"]["egress"][0].pop("to")


def _interval_as_number(manifest: Manifest) -> None:
    manifest["spec"]["endpoints"][0]["interval"] = 10


def _cooldown_with_unit(manifest: Manifest) -> None:
    manifest["spec"]["cooldownPeriod"] = "120s"


BROKEN = (
    Broken(name="replicas-in-words", kind="StatefulSet", by=_replicas_in_words),
    Broken(name="nameless", kind="StatefulSet", by=_nameless),
    Broken(name="number-as-variable", kind="StatefulSet", by=_number_as_variable),
    Broken(name="rule-of-another-kind", kind="NetworkPolicy", by=_rule_of_another_kind),
    Broken(name="interval-as-number", kind="ServiceMonitor", by=_interval_as_number),
    Broken(name="cooldown-with-unit", kind="ScaledObject", by=_cooldown_with_unit),
    Broken(name="privileged", kind="StatefulSet", by=_privileged, schema_refuses=False),
    Broken(name="as-root", kind="StatefulSet", by=_root, schema_refuses=False),
    Broken(name="host-path", kind="StatefulSet", by=_host_path, schema_refuses=False),
    Broken(name="misspelt-grace", kind="StatefulSet", by=_misspelt_grace),
    Broken(name="two-handlers", kind="StatefulSet", by=_two_handlers, schema_refuses=False),
    Broken(name="size-in-words", kind="StatefulSet", by=_size_in_words, schema_refuses=False),
    Broken(name="other-pods", kind="StatefulSet", by=_other_pods, schema_refuses=False),
    Broken(name="unknown-protocol", kind="NetworkPolicy", by=_port_as_word, schema_refuses=False),
    Broken(name="both-bounds", kind="PodDisruptionBudget", by=_both_bounds, schema_refuses=False),
    Broken(name="lag-as-number", kind="ScaledObject", by=_lag_as_number),
    Broken(name="no-target", kind="ScaledObject", by=_no_target),
    Broken(name="secret-without-key", kind="TriggerAuthentication", by=_secret_without_key),
)
