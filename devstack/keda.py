"""KEDA: the operator and its metrics adapter, outside of the cluster that they look after."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from devstack import build
from devstack.certificates import make_authority
from devstack.kubernetes import Cluster
from devstack.service import Running, Service, free_port

NAMESPACE = "keda"


@contextmanager
def keda(cluster: Cluster, folder: Path) -> Iterator[None]:
    """Scales what ScaledObjects of the cluster point at. The cluster must know KEDA's resources."""
    certificates = folder / "certificates"
    authority = make_authority(folder / "authority", "keda")
    certificate, key = authority.issue("keda-operator", certificates)
    shutil.copyfile(authority.path, certificates / "ca.crt")
    metrics_port, probe_port, own_port, adapter_port, page_port = (free_port() for _ in range(5))
    environment = {
        "KUBECONFIG": str(cluster.kubeconfig),
        "KEDA_CLUSTER_OBJECT_NAMESPACE": NAMESPACE,
        "POD_NAMESPACE": NAMESPACE,
        "WATCH_NAMESPACE": "",
    }
    _register(cluster, adapter_port)
    operator = Service(
        name="KEDA's operator",
        command=[
            str(build.keda_binaries() / "operator"),
            f"--metrics-bind-address=127.0.0.1:{own_port}", f"--health-probe-bind-address=127.0.0.1:{probe_port}",
            f"--metrics-service-bind-address=127.0.0.1:{metrics_port}", f"--cert-dir={certificates}",
            "--enable-webhook-patching=false", "--enable-apiservice-patching=false", "--zap-log-level=info",
        ],
        folder=folder / "operator",
        environment=environment,
        is_ready=lambda: _answers(f"http://127.0.0.1:{probe_port}/readyz"),
    )  # fmt: skip
    adapter = Service(
        name="KEDA's adapter",
        command=[
            str(build.keda_binaries() / "adapter"),
            "--bind-address=127.0.0.1", f"--secure-port={adapter_port}", f"--port={page_port}",
            f"--metrics-service-address=127.0.0.1:{metrics_port}", f"--cert-dir={certificates}",
            f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}",
            *(f"--{use}-kubeconfig={cluster.kubeconfig}" for use in ("lister", "authentication", "authorization")),
        ],
        folder=folder / "adapter",
        environment=environment,
        is_ready=lambda: _is_served(cluster),
    )  # fmt: skip
    running: list[Running] = []
    try:
        running += [service.start() for service in (operator, adapter)]
        yield
    finally:
        for server in reversed(running):
            server.stop()


def _register(cluster: Cluster, port: int) -> None:
    """Lets the API server ask the adapter, which listens on this machine, for external metrics."""
    name = "keda-metrics-apiserver"
    cluster.apply([
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
            "spec": {
                "service": {"name": name, "namespace": NAMESPACE, "port": port},
                "group": "external.metrics.k8s.io", "version": "v1beta1",
                "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": True,
            },
        },
    ])  # fmt: skip


def _is_served(cluster: Cluster) -> bool:
    ran = cluster.kubectl("get", "--raw", "/apis/external.metrics.k8s.io/v1beta1")
    return ran.returncode == 0


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2).is_success
    except httpx2.HTTPError:
        return False
