"""A Kubernetes without nodes: etcd, the API server and the controllers, each the real one. Pods stay pending."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml

from devstack import build, system
from devstack.certificates import make_authority, write_signing_key
from devstack.service import Running, Service, free_port

_TOKEN = "administrator"  # noqa: S105 - of a server that only this machine reaches
_FRONT_PROXY = "front-proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    folder: Path
    kubeconfig: Path
    http: httpx2.Client

    def ask(self, method: str, page: str, body: Any = None, *, kind: str = "application/json") -> Any:
        """A page of the API, as JSON; None where there is none. Quicker than kubectl, for those who ask often."""
        answer = self.http.request(method, page, json=body, headers={"Content-Type": kind})
        return None if answer.status_code == httpx2.codes.NOT_FOUND else answer.raise_for_status().json()

    def kubectl(self, *arguments: str, feed: str | None = None) -> "subprocess.CompletedProcess[str]":
        """A kubectl command to its end."""
        return subprocess.run(
            [str(build.kubernetes_binaries() / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments],
            env={**os.environ, "HOME": str(self.folder)},  # where kubectl keeps what it has found out
            input=feed, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    def done(self, *arguments: str, feed: str | None = None) -> str:
        """What it prints; raises SystemExit with what it complains of."""
        ran = self.kubectl(*arguments, feed=feed)
        if ran.returncode:
            raise SystemExit(f"kubectl {' '.join(arguments[:3])} failed:\n{ran.stderr}")
        return ran.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.done("get", *arguments, "--output", "json"))

    def apply(self, manifests: Sequence[Any]) -> None:
        self.done("apply", "--server-side", "--filename", "-", feed=yaml.safe_dump_all(manifests))

    def define(self) -> None:
        """Makes KEDA's and the Prometheus operator's resources known."""
        self.done("apply", "--server-side", "--filename", str(build.resource_definitions()))
        self.done("wait", "--for=condition=established", "--timeout=120s", "customresourcedefinitions", "--all")


@contextmanager
def cluster(folder: Path, *controller_flags: str) -> Iterator[Cluster]:
    """Started and ended; controller_flags are the controller manager's."""
    system.provide({"etcd": "etcd-server"})
    folder.mkdir(parents=True, exist_ok=True)
    etcd_port, peer_port, port = free_port(), free_port(), free_port()
    own = Cluster(
        folder=folder,
        kubeconfig=_write_kubeconfig(folder / "kubeconfig", port),
        http=httpx2.Client(
            base_url=f"https://127.0.0.1:{port}", headers={"Authorization": f"Bearer {_TOKEN}"}, timeout=30,
            verify=False,
        ),
    )  # fmt: skip
    signing_key = write_signing_key(folder / "service-accounts.key")
    etcd = Service(
        name="etcd",
        command=[
            "etcd", "--data-dir", str(folder / "etcd/data"), "--unsafe-no-fsync", "--log-level", "error",
            "--listen-client-urls", f"http://127.0.0.1:{etcd_port}",
            "--advertise-client-urls", f"http://127.0.0.1:{etcd_port}",
            "--listen-peer-urls", f"http://127.0.0.1:{peer_port}",
        ],
        folder=folder / "etcd",
        is_ready=lambda: _is_well(own.http, f"http://127.0.0.1:{etcd_port}/health"),
    )  # fmt: skip
    api_server = Service(
        name="API server",
        command=_api_server(folder, port=port, etcd_port=etcd_port, signing_key=signing_key),
        folder=folder / "api-server",
        is_ready=lambda: _is_well(own.http, "/readyz"),
    )
    controllers = Service(
        name="controller manager",
        command=[
            str(build.kubernetes_binaries() / "kube-controller-manager"), f"--kubeconfig={own.kubeconfig}",
            f"--service-account-private-key-file={signing_key}", "--leader-elect=false",
            "--bind-address=127.0.0.1", f"--secure-port={free_port()}", f"--cert-dir={folder / 'controllers'}",
            *controller_flags,
        ],
        folder=folder / "controllers",
        is_ready=lambda: own.kubectl("get", "serviceaccount", "default").returncode == 0,
    )  # fmt: skip
    running: list[Running] = []
    try:
        running += [service.start() for service in (etcd, api_server, controllers)]
        yield own
    finally:
        own.http.close()
        for server in reversed(running):
            server.stop()


def _api_server(folder: Path, *, port: int, etcd_port: int, signing_key: Path) -> list[str]:
    authority = make_authority(folder / "front-proxy", _FRONT_PROXY)
    certificate, key = authority.issue(_FRONT_PROXY, folder / "front-proxy/client")
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
    return [
        str(build.kubernetes_binaries() / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1", f"--secure-port={port}", f"--cert-dir={folder / 'api-server'}",
        "--allow-privileged=true",  # by the server: whether a namespace allows it is what is tried here
        "--authorization-mode=RBAC", f"--token-auth-file={tokens}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={signing_key}", f"--service-account-signing-key-file={signing_key}",
        "--service-cluster-ip-range=10.255.0.0/24",
        # So that others, such as KEDA's metrics, may answer for a part of the API.
        f"--requestheader-client-ca-file={authority.path}", f"--requestheader-allowed-names={_FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={certificate}", f"--proxy-client-key-file={key}",
    ]  # fmt: skip


def _write_kubeconfig(path: Path, port: int) -> Path:
    named: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "own", "cluster": {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}}
        ],
        "users": [{"name": "admin", "user": {"token": _TOKEN}}],
        "contexts": [{"name": "own", "context": {"cluster": "own", "user": "admin"}}],
        "current-context": "own",
    }
    path.write_text(yaml.safe_dump(named))
    return path


def _is_well(http: httpx2.Client, page: str) -> bool:
    try:
        return http.get(page).is_success
    except httpx2.HTTPError:
        return False
