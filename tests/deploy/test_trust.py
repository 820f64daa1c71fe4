"""The variables by which the production overlay makes pods trust an authority of one's own, on servers that have it."""

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devstack.certificates import Authority, make_authority
from devstack.minio import ACCESS_KEY, SECRET_KEY
from harness.encrypted_store import EncryptedStore, encrypted_store
from harness.manifests import container
from harness.otlp import collector

# What `doctor` and /ready do, with the settings of a pod's.
ASK_STORE = """
from consumer.adapters.s3.minio import make_minio_store
store = make_minio_store()
print(store.stat("no-such-bucket", "no-such-object"))
"""
ASK_REGISTRY = """
import sys
from consumer.adapters.registry_client import RegistryClient
print(RegistryClient(sys.argv[1], timeout_s=30).get("subjects"))
"""
SEND_A_TRACE = """
from consumer.adapters.otel import OtelTracer
from consumer.core.model import Abandoned, Record
from consumer.settings import TracingSettings
tracer = OtelTracer(TracingSettings.load(), group_id="g", instance_id="i", version="1")
tracer.job(Record(topic="t", partition=0, offset=0), 1).end(Abandoned())
tracer.close()
print("sent, or given up")
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncryptedStore]:
    """MinIO with a certificate that no system trusts."""
    with encrypted_store(tmp_path_factory.mktemp("encrypted")) as store:
        yield store


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path / "authority", "our own authority")


@pytest.fixture
def tls(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    """Of a server whose certificate no system trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server", tmp_path / "server"))
    return context


def run(code: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def trusted(authority: Path, *but: str) -> Mapping[str, str]:
    """Every variable by which the overlay names the authority's certificate, but for these."""
    told = [variable for variable in container("production", "StatefulSet")["env"] if "value" in variable]
    mounted = {variable["name"] for variable in told if variable["value"] == "/etc/spleeter-consumer/ca.crt"}
    assert mounted > set(but)
    return dict.fromkeys(mounted - set(but), str(authority))


def test_the_store_is_trusted_by_what_the_overlay_sets(store: EncryptedStore) -> None:
    """With the overlay's variables it answers; without its own, its certificate is of nobody that is known."""
    own = {
        "MINIO_ENDPOINT": store.endpoint, "MINIO_SECURE": "true",
        "MINIO_ACCESS_KEY": ACCESS_KEY, "MINIO_SECRET_KEY": SECRET_KEY,
    }  # fmt: skip
    trusting = run(ASK_STORE, **own, **trusted(store.authority))
    assert (trusting.returncode, trusting.stdout) == (0, "None\n"), trusting.stderr
    distrusting = run(ASK_STORE, **own, **trusted(store.authority, "SSL_CERT_FILE"))
    assert "CERTIFICATE_VERIFY_FAILED" in distrusting.stderr
    assert distrusting.returncode != 0


def test_the_registry_is_trusted_by_what_the_overlay_sets(authority: Authority, tls: ssl.SSLContext) -> None:
    """As the store."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps([self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        url = f"https://127.0.0.1:{server.server_address[1]}"
        trusting = run(ASK_REGISTRY, url, **trusted(authority.path))
        assert (trusting.returncode, trusting.stdout) == (0, "['/subjects']\n"), trusting.stderr
        distrusting = run(ASK_REGISTRY, url, **trusted(authority.path, "SSL_CERT_FILE"))
        assert "CERTIFICATE_VERIFY_FAILED" in distrusting.stderr
    finally:
        server.shutdown()
        thread.join(60)
        server.server_close()


def test_the_collector_is_trusted_by_what_the_overlay_sets(authority: Authority, tls: ssl.SSLContext) -> None:
    """Its client heeds neither of the other variables: without its own, traces don't arrive."""
    with collector(tls) as seen:
        own = {"OTEL_EXPORTER_OTLP_ENDPOINT": seen.address, "OTEL_EXPORTER_OTLP_TIMEOUT": "5"}
        distrusting = run(SEND_A_TRACE, **own, **trusted(authority.path, "OTEL_EXPORTER_OTLP_CERTIFICATE"))
        assert "sent, or given up" in distrusting.stdout, distrusting.stderr
        assert seen.spans() == []
        trusting = run(SEND_A_TRACE, **own, **trusted(authority.path))
        assert len(seen.jobs()) == 1, trusting.stderr
