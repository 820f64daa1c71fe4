"""A real broker that asks who comes, in every way that the service knows: SCRAM-SHA-512, certificates and tokens, all
by TLS with an authority of its own, and with KRaft's authorizer. A door without any of it is its administrator's.
"""

import base64
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import jwt
import msgspec
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from devstack.certificates import Authority, make_authority
from devstack.kafka import kafka
from devstack.service import free_port

_ISSUER, _AUDIENCE = "https://issuer.invalid", "kafka"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEndpoint:
    """What gives tokens to those that know their secret. secrets: by client id; tests may change them."""

    url: str
    secrets: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuredKafka:
    """anybody: the administrator's door. The others are those that replicas come by."""

    anybody: str
    passwords: str
    certificates: str
    tokens: str
    authority: Authority
    endpoint: TokenEndpoint
    admin: AdminClient

    def set_password(self, user: str, password: str) -> None:
        """Of a user who comes by `passwords`; who has another one is let in no more."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(user, info, password.encode())
        for answer in self.admin.alter_user_scram_credentials([change]).values():
            answer.result(30)

    def grant(self, rights: Sequence[AclBinding]) -> None:
        """Give these."""
        for answer in self.admin.create_acls(list(rights)).values():
            answer.result(30)

    def _tls(self, address: str) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP_SERVERS": address, "KAFKA_SSL_CA_LOCATION": str(self.authority.path)}

    def by_password(self, user: str, **of_password: str) -> dict[str, str]:
        """A replica's environment, but for the password, which is to be given."""
        return self._tls(self.passwords) | {
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": user, **of_password,
        }  # fmt: skip

    def by_certificate(self, certificate: Path, key: Path) -> dict[str, str]:
        """A replica's environment."""
        return self._tls(self.certificates) | {
            "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTIFICATE_LOCATION": str(certificate),
            "KAFKA_SSL_KEY_LOCATION": str(key),
        }  # fmt: skip

    def by_token(self, client_id: str, **of_secret: str) -> dict[str, str]:
        """A replica's environment, but for the client's secret, which is to be given."""
        return self._tls(self.tokens) | {
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "KAFKA_SASL_OAUTHBEARER_METHOD": "oidc", "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": client_id,
            "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": self.endpoint.url, **of_secret,
        }  # fmt: skip


@contextmanager
def secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    """One that runs, and a token endpoint beside it."""
    authority = make_authority(folder / "authority", "our own authority")
    port, passwords, certificates, tokens = (free_port() for _ in range(4))
    server = _keystore(*authority.issue("kafka", folder / "issued"), folder / "server.pem")
    with token_endpoint(folder / "jwks.json") as endpoint:
        service = kafka(
            folder / "kafka", port, {door: door for door in (passwords, certificates, tokens)},
            further=_properties((passwords, certificates, tokens), server, authority.path, folder / "jwks.json"),
        )  # fmt: skip
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://{folder / 'jwks.json'}"
        running = replace(service, environment={"JAVA_TOOL_OPTIONS": allowed}).start()
        anybody = f"127.0.0.1:{port}"
        try:
            yield SecuredKafka(
                anybody=anybody, passwords=f"127.0.0.1:{passwords}", certificates=f"127.0.0.1:{certificates}",
                tokens=f"127.0.0.1:{tokens}", authority=authority, endpoint=endpoint,
                admin=AdminClient({"bootstrap.servers": anybody}),
            )  # fmt: skip
        finally:
            running.stop()


def _properties(doors: tuple[int, int, int], server: Path, authority: Path, keys: Path) -> dict[str, str]:
    passwords, certificates, tokens = doors
    security = "org.apache.kafka.common.security"
    tls = {
        f"listener.name.door{door}.ssl.{name}": str(value)
        for door in doors
        for name, value in {
            "keystore.type": "PEM", "keystore.location": server, "truststore.type": "PEM",
            "truststore.location": authority,
        }.items()
    }  # fmt: skip
    by_token = f"listener.name.door{tokens}"
    return tls | {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
        f"DOOR{passwords}:SASL_SSL,DOOR{certificates}:SSL,DOOR{tokens}:SASL_SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
        f"listener.name.door{passwords}.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        f"listener.name.door{passwords}.scram-sha-512.sasl.jaas.config": f"{security}.scram.ScramLoginModule required;",
        f"listener.name.door{certificates}.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=(.*?)$/$1/,DEFAULT",
        f"{by_token}.sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{by_token}.oauthbearer.sasl.jaas.config": f"{security}.oauthbearer.OAuthBearerLoginModule required;",
        f"{by_token}.oauthbearer.sasl.server.callback.handler.class": (
            f"{security}.oauthbearer.OAuthBearerValidatorCallbackHandler"
        ),
        f"{by_token}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url": f"file://{keys}",
        f"{by_token}.oauthbearer.sasl.oauthbearer.expected.audience": _AUDIENCE,
        f"{by_token}.oauthbearer.sasl.oauthbearer.expected.issuer": _ISSUER,
        # A connection is asked again who it is, so that what was rotated counts for those that are open too.
        "connections.max.reauth.ms": "3000",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }


@contextmanager
def token_endpoint(keys: Path) -> Iterator[TokenEndpoint]:
    """It signs with a key whose public half it writes into `keys`, as JSON Web Key Set."""
    signing = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.algorithms.RSAAlgorithm.to_jwk(signing.public_key(), as_dict=True)
    keys.write_bytes(msgspec.json.encode({"keys": [public | {"kid": "k", "alg": "RS256", "use": "sig"}]}))
    secrets: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            user, secret = self._who(form)
            if not user or secrets.get(user) != secret:
                self._answer(401, {"error": "invalid_client"})
                return
            now = int(time.time())
            claims = {"sub": user, "iss": _ISSUER, "aud": _AUDIENCE, "iat": now, "exp": now + 30}
            token = jwt.encode(claims, signing, "RS256", {"kid": "k"})
            self._answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": 30})

        def _who(self, form: dict[str, list[str]]) -> tuple[str, str]:
            """By HTTP Basic, as RFC 6749 wants it, or in the form."""
            header = self.headers.get("Authorization", "")
            if header.startswith("Basic "):
                user, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
                return user, secret
            return form.get("client_id", [""])[0], form.get("client_secret", [""])[0]

        def _answer(self, status: int, body: dict[str, object]) -> None:
            data = msgspec.json.encode(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield TokenEndpoint(url=f"http://127.0.0.1:{server.server_port}/token", secrets=secrets)
    finally:
        server.shutdown()
        server.server_close()


def _keystore(certificate: Path, key: Path, path: Path) -> Path:
    """Both in one file, the key as Java takes it."""
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    encoded = loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(encoded + certificate.read_bytes())
    return path
