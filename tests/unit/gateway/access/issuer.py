"""An issuer of tokens: a real HTTP server that gives out a set of keys, and tokens signed without PyJWT's help."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER, AUDIENCE = "https://issuer.example", "spleeter"

Json = dict[str, Any]
Handler = Callable[["_Request"], None]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size_bytes: int | None = None) -> str:
    """An integer of a JWK (RFC 7518, section 2)."""
    return b64(value.to_bytes(size_bytes or (value.bit_length() + 7) // 8))


@dataclass(frozen=True)
class RsaKey:
    """One that RS256 signs with (RFC 7518, section 3.3)."""

    private: rsa.RSAPrivateKey
    name: str = "rsa"
    algorithm: str = "RS256"

    @classmethod
    def make(cls, bits: int = 2048, name: str = "rsa") -> "RsaKey":
        return cls(rsa.generate_private_key(65537, bits), name)

    def jwk(self) -> Json:
        numbers = self.private.public_key().public_numbers()
        return {"kty": "RSA", "kid": self.name, "n": number(numbers.n), "e": number(numbers.e)}

    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True)
class EcKey:
    """One that ES256 signs with (RFC 7518, section 3.4), or one of another curve."""

    private: ec.EllipticCurvePrivateKey
    name: str = "ec"
    algorithm: str = "ES256"
    curve: str = "P-256"

    @classmethod
    def make(cls, curve: ec.EllipticCurve | None = None, name: str = "ec", called: str = "P-256") -> "EcKey":
        return cls(ec.generate_private_key(curve or ec.SECP256R1()), name, "ES256", called)

    @property
    def size_bytes(self) -> int:
        return (self.private.curve.key_size + 7) // 8

    def jwk(self) -> Json:
        numbers = self.private.public_key().public_numbers()
        x, y = number(numbers.x, self.size_bytes), number(numbers.y, self.size_bytes)
        return {"kty": "EC", "kid": self.name, "crv": self.curve, "x": x, "y": y}

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(self.size_bytes) + s.to_bytes(self.size_bytes)


Key = RsaKey | EcKey


def claims(**changed: Any) -> Json:
    """What a good token says; a claim that is given as ... is left out."""
    now = int(time.time())
    said: Json = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "iat": now, "exp": now + 600, "tenant": "acme",
        "scope": "separations:read separations:write",
    }  # fmt: skip
    return {name: value for name, value in (said | changed).items() if value is not ...}


def token(key: Key, header: Json | None = None, **changed: Any) -> str:
    """A token signed by this key; a member of the header that is given as ... is left out."""
    head: Json = {"alg": key.algorithm, "kid": key.name, "typ": "JWT"} | (header or {})
    return signed({name: value for name, value in head.items() if value is not ...}, claims(**changed), key.sign)


def signed(header: Any, payload: Any, sign: Callable[[bytes], bytes]) -> str:
    """RFC 7515, section 7.1."""
    signing_input = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(payload).encode())}"
    return f"{signing_input}.{b64(sign(signing_input.encode()))}"


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    """A signature by a secret that both sides know."""
    return lambda data: hmac.new(secret, data, hashlib.sha256).digest()


class _Request(http.server.BaseHTTPRequestHandler):
    server: "JwksServer"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with self.server.changed:
            self.server.asked.append(self.path)
            self.server.changed.notify_all()
        self.server.behave(self)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


@dataclass
class JwksServer(http.server.ThreadingHTTPServer):
    """Answers each GET as `behave` does; by default with the keys that it has."""

    keys: list[Json] = field(default_factory=list)

    daemon_threads = True
    block_on_close = False

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.asked: list[str] = []
        self.changed = threading.Condition()
        self.ended = threading.Event()
        self.behave: Handler = self.give_keys
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/jwks"

    def give_keys(self, request: _Request) -> None:
        request.answer(json.dumps({"keys": self.keys}).encode())

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""

    def close(self) -> None:
        self.ended.set()
        self.shutdown()
        self._thread.join()
        self.server_close()
