"""Whoever is refused, or trusts nobody who is there, ends its start with one line; what runs already waits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from devstack.certificates import Authority, make_authority
from harness.encrypted_store import EncryptedStore
from harness.platform import Platform
from harness.secured_kafka import SecuredKafka
from harness.waiting import wait_for
from tests.integration.secured.test_rotation import replace


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that has signed nothing here."""
    return make_authority(tmp_path_factory.mktemp("stranger"), "a stranger")


@contextmanager
def locked_registry() -> Iterator[str]:
    """The address of one that lets nobody in, in its own words."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"error_code": 401, "message": "Unauthorized"}'
            self.send_response(401)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://me:wrong-password@127.0.0.1:{server.server_port}"
        server.shutdown()


def settings(what: str, secured: SecuredKafka, store: EncryptedStore, stranger: Authority) -> dict[str, str]:
    """An environment in which that is wrong."""
    strange = {"KAFKA_SSL_CA_LOCATION": str(stranger.path)}
    certificate, key = stranger.issue("alice", stranger.path.parent / "alice")
    secured.set_password("alice", "alices-password")
    right = secured.by_password("alice", KAFKA_SASL_PASSWORD="alices-password")
    return {
        "password": secured.by_password("alice", KAFKA_SASL_PASSWORD="wrong-password"),
        "user": secured.by_password("nobody", KAFKA_SASL_PASSWORD="wrong-password"),
        "brokers' authority": right | strange,
        "client's authority": secured.by_certificate(certificate, key),
        "no certificate": {
            name: value for name, value in secured.by_certificate(certificate, key).items()
            if name not in ("KAFKA_SSL_CERTIFICATE_LOCATION", "KAFKA_SSL_KEY_LOCATION")
        },
        "client's secret": secured.by_token("alice", KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET="wrong-password"),
        "store's authority": {
            "MINIO_ENDPOINT": store.endpoint, "MINIO_SECURE": "true", "MINIO_CA_FILE": str(stranger.path)
        },
        "store's key": {"MINIO_ACCESS_KEY": "nobody", "MINIO_SECRET_KEY": "wrong-password"},
    }[what]  # fmt: skip


_OUR_CERTIFICATE = "KAFKA_SSL_CERTIFICATE_LOCATION"
SAID = {
    "password": "KAFKA_SASL_PASSWORD", "user": "KAFKA_SASL_USERNAME", "brokers' authority": "KAFKA_SSL_CA_LOCATION",
    "client's authority": _OUR_CERTIFICATE, "no certificate": _OUR_CERTIFICATE, "client's secret": "OAUTHBEARER",
    "store's authority": "MINIO_ENDPOINT", "store's key": "MINIO_ACCESS_KEY",
}  # fmt: skip


@pytest.mark.attack
@pytest.mark.parametrize("what", SAID)
def test_who_is_refused_ends_with_one_line(
    guarded: Platform, secured: SecuredKafka, encrypted: EncryptedStore, stranger: Authority, what: str
) -> None:
    """It names what is to be looked at and never the secret; nobody waits for ever for what waiting does not mend."""
    replica = guarded.start_replica(**settings(what, secured, encrypted, stranger))
    wait_for(lambda: replica.process.poll() is not None)
    assert replica.process.poll() == 1
    lines = [line for line in replica.log.read_text().splitlines() if not line.startswith("{")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("spleeter-consumer: ")
    assert SAID[what] in lines[0]


@pytest.mark.attack
def test_a_registry_that_refuses_us_ends_the_start(guarded: Platform) -> None:
    with locked_registry() as url:
        replica = guarded.start_replica(SCHEMA_REGISTRY_URL=url)
        assert replica.process.wait(120) == 1
    last = replica.log.read_text().splitlines()[-1]
    assert last == "spleeter-consumer: SCHEMA_REGISTRY_URL: the schema registry answered 401 (error code 401)"


def test_who_is_let_in_soon_after_all_does_not_end(guarded: Platform, secured: SecuredKafka, tmp_path: object) -> None:
    """A password that comes a moment late is no reason to end."""
    file = guarded.folder / "password"
    file.write_text("wrong-password")
    secured.set_password("late", "lates-password")
    replica = guarded.start_replica(**secured.by_password("late", KAFKA_SASL_PASSWORD_FILE=str(file)))
    replace(file, "lates-password")
    assert replica.process.wait(120) == 1  # it has no rights; but what it is refused is no password
    assert "transactional ids" in replica.log.read_text().splitlines()[-1]
