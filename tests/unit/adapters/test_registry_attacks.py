"""A registry's answers that are made to fill memory, to keep waiting, or to hide what else lies there."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from typing import Any

import pytest

from consumer.adapters.avro.codec import AvroCodec, load_schema
from consumer.adapters.avro.evolution import obstacles
from consumer.adapters.registry import ConfluentRegistry
from consumer.adapters.registry_client import RegistryClient
from consumer.core.errors import Code, RegistryUnavailable, Rejected
from harness.avro_attacks import attacks, record
from harness.fakes import FakeRegistry, a_request, serve

SCHEMA = load_schema("separation_request")
SUBJECTS = {"separation_request": "requests-value"}
VERSIONS = "/subjects/requests-value/versions"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MANY = 1 << 30
SHORT_S = 0.3


def page(status: int, **fields: object) -> tuple[int, bytes]:
    return status, json.dumps(fields).encode()


@contextmanager
def answering(pieces: Callable[[], Iterator[bytes]], *, pause_s: float = 0.0) -> Iterator[tuple[str, list[int]]]:
    """Whoever asks is sent these, so long as it listens; yields the address, and how many bytes went to each."""
    over, sent = threading.Event(), list[int]()

    def answer(listener: socket.socket) -> None:
        while not over.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                sent.append(0)
                with connection:
                    connection.recv(65536)
                    for piece in pieces():
                        if over.wait(pause_s):
                            return
                        connection.sendall(piece)
                        sent[-1] += len(piece)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        thread = threading.Thread(target=answer, args=(listener,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", sent
        finally:
            over.set()
            thread.join(60)
    assert not thread.is_alive()


@pytest.mark.attack
@pytest.mark.parametrize(
    "head", [HEAD + b"Content-Length: %d\r\n\r\n" % MANY, HEAD + b"\r\n"], ids=["said", "not_said"]
)
def test_an_answer_of_a_gigabyte(head: bytes) -> None:
    """It is given up after some megabytes; under an id it is no schema, which is its writer's fault."""

    def much() -> Iterator[bytes]:
        return chain([head], repeat(b'"' + b"x" * 65535, MANY >> 16))

    with answering(much) as (url, sent):
        registry = ConfluentRegistry(url, SUBJECTS)
        with pytest.raises(Rejected, match="schema id 7 is too long") as caught:
            registry.schema(7)
        with pytest.raises(RegistryUnavailable, match="too long"):
            registry.check()
        registry.close()
    assert caught.value.code == Code.SCHEMA_UNKNOWN
    assert max(sent) < MANY // 16


@pytest.mark.attack
@pytest.mark.parametrize(
    "begin",
    [
        b"", b"HTTP/1.1 200 OK\r\nX-A: ", HEAD + b"Content-Length: 9\r\n\r\n[", HEAD + b"\r\n[1",
        HEAD.replace(b"200", b"500"),
    ],
    ids=["status", "headers", "body", "body_without_length", "refusal"],
)  # fmt: skip
def test_an_answer_that_trickles(begin: bytes) -> None:
    """Byte by byte, each in time: the whole answer has one deadline, wherever it stands."""
    never = chain.from_iterable(zip(repeat(b" "), repeat(b"")))
    with answering(lambda: chain([begin] if begin else [], never), pause_s=0.02) as (url, _):
        client = RegistryClient(url, timeout_s=SHORT_S)
        with pytest.raises(RegistryUnavailable):
            client.get("subjects")
        client.close()


@pytest.mark.attack
@pytest.mark.parametrize("packing", ["gzip", "GZIP", "deflate", "br", "zstd", "gzip, gzip"])
def test_an_answer_that_is_packed(packing: str) -> None:
    """A kilobyte may unpack to a megabyte, and that again: nothing that is packed was asked for, or is unpacked."""
    body = gzip.compress(json.dumps({"schema": "x" * (1 << 20)}).encode())
    head = HEAD + f"Content-Encoding: {packing}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with answering(lambda: iter([head + body])) as (url, _):
        registry = ConfluentRegistry(url, SUBJECTS)
        with pytest.raises(RegistryUnavailable, match="packed"):
            registry.schema(7)
        registry.close()


@pytest.mark.attack
@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_that_is_deep(depth: int, status: int) -> None:
    """What is no answer of a registry's is trouble, and no traceback."""
    body = b'{"error_code": 40403, "schema": ' + b"[" * depth + b"]" * depth + b"}"
    with serve({"/schemas/ids/7": (status, body)}) as (url, _):
        registry = ConfluentRegistry(url, SUBJECTS)
        with pytest.raises(RegistryUnavailable):
            registry.schema(7)
        registry.close()


@pytest.mark.attack
@pytest.mark.parametrize("text", ["[" * 1_000 + "]" * 1_000, "[" * 100_000, '"' + "x" * 300_000 + '"', "9" * 10_000])
def test_a_schema_of_any_text(text: str) -> None:
    """Deep, long, or a number that Python does not read: by its id, and where another refers to it."""
    refers = page(200, schema=json.dumps(SCHEMA), references=[{"name": "x", "subject": "other", "version": 1}])
    pages = {
        "/schemas/ids/7": page(200, schema=text), "/schemas/ids/8": refers,
        "/subjects/other/versions/1": page(200, schema=text),
    }  # fmt: skip
    with serve(pages) as (url, _):
        codec = AvroCodec(ConfluentRegistry(url, SUBJECTS))
        for number in (7, 8):
            with pytest.raises(Rejected) as caught:
                codec.decode_request(b"\0\0\0\0" + bytes([number]) + b"rest")
            assert caught.value.code == Code.SCHEMA_UNKNOWN


@pytest.mark.attack
def test_references_that_are_too_much_together() -> None:
    """Each is as long as a schema may be: after four the rest is not asked for."""
    long = json.dumps({**SCHEMA, "doc": "x" * 200_000})
    references = [{"name": f"x{n}", "subject": f"s{n}", "version": 1} for n in range(60)]
    pages = {f"/subjects/s{n}/versions/1": page(200, schema=long) for n in range(60)}
    with serve({"/schemas/ids/7": page(200, schema=long, references=references), **pages}) as (url, asked):
        registry = ConfluentRegistry(url, SUBJECTS)
        with pytest.raises(Rejected, match="with all that it refers to"):
            registry.schema(7)
    assert len(asked) < 8


@pytest.mark.attack
def test_references_that_name_each_other_in_a_chain() -> None:
    """As deep as there are types in them: refused, whatever the way through them."""
    types = [record(f"T{n}", f"T{n + 1}" if n < 3_000 else "long") for n in range(3_001)]
    refers = [{"name": "x", "subject": "other", "version": 1}]
    pages = {
        "/schemas/ids/7": page(200, schema='"T0"', references=refers),
        "/subjects/other/versions/1": page(200, schema=json.dumps(types)),
    }
    with serve(pages) as (url, _), pytest.raises(Rejected) as caught:
        AvroCodec(ConfluentRegistry(url, SUBJECTS)).decode_request(b"\0\0\0\0\7rest")
    assert caught.value.code == Code.SCHEMA_UNKNOWN


@pytest.mark.attack
@pytest.mark.parametrize("version", ["Infinity", "NaN", "-1e999", '"x"', "[]", "null", "9" * 5_000])
def test_a_reference_to_no_version(version: str) -> None:
    """Whatever stands there: trouble, or a dead letter, and never an error of ours."""
    references = f'[{{"name": "x", "subject": "other", "version": {version}}}]'
    body = f'{{"schema": "\\"long\\"", "references": {references}}}'.encode()
    with serve({"/schemas/ids/7": (200, body)}) as (url, _), pytest.raises((Rejected, RegistryUnavailable)):
        ConfluentRegistry(url, SUBJECTS).schema(7)


@pytest.mark.attack
@pytest.mark.parametrize("schema_id", [-1, 1 << 32, 10**30, None, "7", 7.0])
def test_an_id_that_is_none(schema_id: object) -> None:
    """What has no room in a record's frame is no id of ours."""
    with serve({"/subjects/requests-value": page(200, id=schema_id)}) as (url, _):
        codec = AvroCodec(ConfluentRegistry(url, SUBJECTS))
        with pytest.raises(RegistryUnavailable, match="no proper answer"):
            codec.encode(a_request())


@pytest.mark.attack
def test_versions_of_a_stranger_s_under_our_subject() -> None:
    """Whatever lies there: our own is found among it, and a check tells of the rest."""
    texts = [attack.text for name, attack in attacks().items() if "done" not in attack.code]
    texts += ["x" * (3 << 20), json.dumps({**SCHEMA, "doc": "Earlier words."})]
    pages = {f"{VERSIONS}/{n}": page(200, id=n, schema=text) for n, text in enumerate(texts)}
    pages |= {
        "/subjects/requests-value": page(404, error_code=40403, message="Schema not found"),
        VERSIONS: (200, json.dumps(list(range(len(texts)))).encode()),
    }
    with serve(pages) as (url, _):
        registry = ConfluentRegistry(url, SUBJECTS)
        assert registry.id_of("separation_request", SCHEMA) == len(texts) - 1
        with pytest.raises(RegistryUnavailable, match="not Avro"):
            registry.versions("separation_request")


@pytest.mark.attack
@pytest.mark.parametrize("name", ["recursion by name", "doubled 23 times", "doubled 60 times", "a union of nothing"])
def test_a_check_of_a_schema_made_to_kill(name: str) -> None:
    """`schemas check` says what is wrong with it, and comes back."""
    [told] = obstacles(SCHEMA, json.loads(attacks()[name].text))
    assert attacks()[name].says in told


@pytest.mark.attack
def test_schemas_without_end() -> None:
    """One that was refused is not asked for again, and of many ids no more are remembered than there is room for."""

    class Counting(FakeRegistry):
        asked = 0

        def schema(self, schema_id: int) -> Any:
            self.asked += 1
            return super().schema(schema_id)

    bad = json.loads(attacks()["recursion by name"].text)
    registry = Counting(dict(zip(range(1, 1001), repeat(bad))))
    codec = AvroCodec(registry)
    for _ in range(3):
        with pytest.raises(Rejected, match="recursive"):
            codec.decode_request(b"\0\0\0\0\1rest")
    assert registry.asked == 1
    for number in range(2, 1001):
        with pytest.raises(Rejected, match="recursive"):
            codec.decode_request(b"\0" + number.to_bytes(4, "big") + b"rest")
    assert len(codec._registered) <= 256
    assert registry.asked == 1000
