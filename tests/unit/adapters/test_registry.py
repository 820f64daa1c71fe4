import base64
import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from consumer.adapters.avro.codec import AvroCodec, load_schema
from consumer.adapters.registry import ConfluentRegistry
from consumer.adapters.registry_client import RegistryClient
from consumer.core.errors import Code, RegistryMisconfigured, RegistryUnavailable, Rejected, SettingsError
from harness.fakes import a_request, serve

SCHEMA = load_schema("separation_request")
SUBJECTS = {"separation_request": "requests-value"}
LOOK_UP = "/subjects/requests-value"
REGISTER = "/subjects/requests-value/versions"


def page(status: int, **fields: object) -> tuple[int, bytes]:
    return status, json.dumps(fields).encode()


NO_SUBJECT = page(404, error_code=40401, message="Subject not found")
NO_SCHEMA = page(404, error_code=40403, message="Schema not found")


def test_a_request_travels_with_a_registered_schema() -> None:
    """Our schema is registered under its subject, its id goes before the bytes, and by that id they are read."""
    pages = {
        LOOK_UP: NO_SUBJECT,
        REGISTER: page(200, id=300),
        "/schemas/ids/300": page(200, schema=json.dumps(SCHEMA)),
    }
    with serve(pages) as (url, asked):
        codec = AvroCodec(ConfluentRegistry(url, SUBJECTS, registers=True))
        value = codec.encode(a_request())
        assert value[:5] == b"\x00\x00\x00\x01\x2c"
        assert codec.decode_request(value) == codec.decode_request(codec.encode(a_request())) == a_request()
    assert [path.partition("?")[0] for path in asked] == [LOOK_UP, REGISTER, "/schemas/ids/300"]


def test_what_is_there_is_only_looked_up() -> None:
    """Who may read alone needs no more: one question for as many requests as there are."""
    with serve({LOOK_UP: page(200, subject="requests-value", version=1, id=300)}) as (url, asked):
        codec = AvroCodec(ConfluentRegistry(url, SUBJECTS))
        assert codec.encode(a_request())[:5] == codec.encode(a_request())[:5] == b"\x00\x00\x00\x01\x2c"
    assert asked == [LOOK_UP]


def test_a_schema_with_other_words_is_ours_too() -> None:
    """Registered by an earlier version, or by another tool: docs and the way it is written down change no byte."""
    told = json.dumps({**SCHEMA, "doc": "as it was", "name": "separation.v1.SeparationRequest"}, indent=4)
    other = json.dumps({**SCHEMA, "fields": SCHEMA["fields"][:2]})
    pages = {
        LOOK_UP: NO_SCHEMA,
        REGISTER: (200, b"[1, 2, 3]"),
        f"{REGISTER}/1": page(200, id=7, schema=told),
        f"{REGISTER}/2": page(200, id=8, schema=other),
        f"{REGISTER}/3": page(200, id=9, schema="syntax", schemaType="PROTOBUF"),
    }
    with serve(pages) as (url, _):
        assert ConfluentRegistry(url, SUBJECTS).id_of("separation_request", SCHEMA) == 7


@pytest.mark.parametrize("looked_up", [NO_SUBJECT, NO_SCHEMA], ids=["no_subject", "no_schema"])
def test_what_is_missing_is_told_and_not_registered(looked_up: tuple[int, bytes]) -> None:
    """Without being asked to, nothing is registered: one line says what is missing, where, and what brings it."""
    with serve({LOOK_UP: looked_up, REGISTER: (200, b"[]")}) as (url, asked):
        registry = ConfluentRegistry(url, SUBJECTS, writes=("separation_request",))
        for ask in (registry.check, lambda: AvroCodec(registry).encode(a_request())):
            with pytest.raises(RegistryMisconfigured, match="no schema of separation_request under requests-value: "):
                ask()
    assert {path.partition("?")[0] for path in asked} <= {LOOK_UP, REGISTER}


def test_who_may_not_register_is_told_so() -> None:
    """A registry that is read-only to us, and lacks what we need, is one line as well."""
    for refused in (page(403, error_code=40301, message="no"), page(422, error_code=42205, message="mode")):
        with serve({LOOK_UP: NO_SUBJECT, REGISTER: refused}) as (url, _):
            registry = ConfluentRegistry(url, SUBJECTS, registers=True)
            with pytest.raises(RegistryMisconfigured, match="lets us register nothing, and has no schema of"):
                AvroCodec(registry).encode(a_request())


def test_an_improper_answer_is_not_remembered() -> None:
    """What some login page said in place of the registry is asked again."""
    pages = {"/schemas/ids/7": page(200, please="log in")}
    with serve(pages) as (url, _):
        registry = ConfluentRegistry(url, SUBJECTS)
        with pytest.raises(RegistryUnavailable, match="no proper answer"):
            registry.schema(7)
        pages["/schemas/ids/7"] = NO_SCHEMA
        with pytest.raises(Rejected):
            registry.schema(7)
        pages["/schemas/ids/7"] = page(200, schema=json.dumps(SCHEMA))
        assert registry.schema(7) == SCHEMA


def test_several_addresses_are_those_of_one_registry() -> None:
    """The first that answers is believed, a refusal too; who is away or out of order is passed over."""
    down, there = {"/schemas/ids/7": page(500, error_code=50001)}, {"/schemas/ids/7": NO_SCHEMA}
    with serve(down) as (broken, _), serve({}) as (proxy, _), serve(there) as (sound, _), serve({}) as (never, asked):
        urls = ["http://127.0.0.1:1", broken, f"{proxy}/somewhere", f"{sound}/", never]
        with pytest.raises(Rejected):
            ConfluentRegistry(", ".join(urls), SUBJECTS).schema(7)
    assert asked == []


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (page(404, error_code=40403, message="Schema not found"), Rejected, "no schema id 7"),
        (page(200, schema="syntax = 3", schemaType="PROTOBUF"), Rejected, "not Avro"),
        (page(200, schema="no json"), Rejected, "schema id 7"),
        (page(500, error_code=50001, message="store"), RegistryUnavailable, "answered 500"),
        (page(401, error_code=401, message="who?"), RegistryUnavailable, "answered 401"),
        ((200, b"<html>login</html>"), RegistryUnavailable, "JSONDecodeError"),
    ],
    ids=["unknown", "protobuf", "no_schema", "broken", "unauthorized", "no_registry"],
)
def test_a_schema_that_can_not_be_had(answer: tuple[int, bytes], error: type[Exception], told: str) -> None:
    """What a registry knows not to be there is the message's fault; that it can't answer is the world's."""
    with serve({"/schemas/ids/7": answer}) as (url, _), pytest.raises(error, match=told) as caught:
        AvroCodec(ConfluentRegistry(url, SUBJECTS)).decode_request(b"\x00\x00\x00\x00\x07rest")
    if isinstance(caught.value, Rejected):
        assert caught.value.code == Code.SCHEMA_UNKNOWN


def test_a_registry_that_refuses_our_schema_or_is_away_is_unavailable() -> None:
    """Whether it answers with an error or not at all, encoding says so and does not name its address."""
    pages = {LOOK_UP: NO_SUBJECT, REGISTER: page(409, error_code=409, message="incompatible")}
    with serve(pages) as (url, _):
        registry = ConfluentRegistry(url, SUBJECTS, registers=True)
        with pytest.raises(RegistryUnavailable, match="refused separation_request: incompatible"):
            AvroCodec(registry).encode(a_request())
    for call in (lambda: registry.schema(1), lambda: AvroCodec(registry).encode(a_request())):
        with pytest.raises(RegistryUnavailable, match="can't be reached") as caught:
            call()
        assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    "answer", [(200, b"[1]"), page(404, error_code=40401, message="no subject")], ids=["registered", "not_registered"]
)
def test_a_registry_that_answers_is_there(answer: tuple[int, bytes]) -> None:
    """Whether or not it holds our schemas yet."""
    with serve({REGISTER: answer}) as (url, asked):
        ConfluentRegistry(url, SUBJECTS).check()
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (page(503, error_code=50302, message="no leader"), "answered 503"),
        (page(401, error_code=401, message="who?"), "answered 401"),
        ((200, b"<html>login</html>"), "can't be reached"),
    ],
    ids=["broken", "unauthorized", "no_registry"],
)
def test_a_registry_that_is_away_is_told_of(answer: tuple[int, bytes], told: str) -> None:
    """Whatever keeps everybody from using it, and without its address."""
    with serve({REGISTER: answer}) as (url, _):
        registry = ConfluentRegistry(url, SUBJECTS)
        with pytest.raises(RegistryUnavailable, match=told):
            registry.check()
    with pytest.raises(RegistryUnavailable, match="can't be reached") as caught:
        registry.check()
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("behaviour", ["silent", "slow", "cut"])
def test_a_registry_that_never_ends_is_given_up(behaviour: str) -> None:
    """Neither silence, nor a body that comes byte by byte, nor one that breaks off is waited for without end."""
    over = threading.Event()

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            if behaviour == "silent":
                over.wait(60)
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n[")
            while behaviour == "slow" and not over.wait(0.02):
                with suppress(OSError):
                    connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        client = RegistryClient(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.3)
        with pytest.raises(RegistryUnavailable):
            client.get("subjects")
        over.set()
        thread.join(60)
        client.close()
    assert not thread.is_alive()


def test_user_and_password_of_an_address_are_its_own() -> None:
    """They go along as basic authentication, the first address's for all others that have none, and into no message."""
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_error(503)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"127.0.0.1:{server.server_address[1]}"
        client = RegistryClient(f"http://me:hunter2@{place}, http://{place}, http://you:no@{place}", timeout_s=10)
        with pytest.raises(RegistryUnavailable) as caught:
            client.get("subjects")
        client.close()
        server.shutdown()
    me, you = (f"Basic {base64.b64encode(pair).decode()}" for pair in (b"me:hunter2", b"you:no"))
    assert seen == [me, me, you]
    assert "hunter2" not in str(caught.value)


def test_addresses_are_asked_for_anew() -> None:
    """A changed password is used by the next question; addresses that can't be had are the registry's trouble."""
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_error(503)

        def log_message(self, format: str, *args: object) -> None:
            pass

    users = iter(["me:first", "me:second"])
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def addresses() -> str:
            if user := next(users, ""):
                return f"http://{user}@127.0.0.1:{server.server_address[1]}"
            raise SettingsError("SCHEMA_REGISTRY_URL_FILE: the file is empty")

        client = RegistryClient(addresses, timeout_s=10)
        for _ in range(3):
            with pytest.raises(RegistryUnavailable) as caught:
                client.get("subjects")
        client.close()
        server.shutdown()
    assert seen == [f"Basic {base64.b64encode(pair).decode()}" for pair in (b"me:first", b"me:second")]
    assert str(caught.value) == "SCHEMA_REGISTRY_URL_FILE: the file is empty"
