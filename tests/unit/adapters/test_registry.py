import json

import pytest

from consumer.adapters.avro.codec import AvroCodec, load_schema
from consumer.adapters.registry import ConfluentRegistry
from consumer.core.errors import Code, RegistryUnavailable, Rejected
from harness.fakes import a_request, serve

SCHEMA = load_schema("separation_request")
SUBJECTS = {"separation_request": "requests-value"}
REGISTER = "/subjects/requests-value/versions"


def page(status: int, **fields: object) -> tuple[int, bytes]:
    return status, json.dumps(fields).encode()


def test_a_request_travels_with_a_registered_schema() -> None:
    """Our schema is registered under its subject, its id goes before the bytes, and by that id they are read."""
    pages = {REGISTER: page(200, id=300), "/schemas/ids/300": page(200, schema=json.dumps(SCHEMA))}
    with serve(pages) as (url, asked):
        codec = AvroCodec(ConfluentRegistry(url, SUBJECTS))
        value = codec.encode(a_request())
        assert value[:5] == b"\x00\x00\x00\x01\x2c"
        assert codec.decode_request(value) == codec.decode_request(codec.encode(a_request())) == a_request()
    assert [path.partition("?")[0] for path in asked] == [REGISTER, "/schemas/ids/300"]


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
    with serve({REGISTER: page(409, error_code=409, message="incompatible")}) as (url, _):
        registry = ConfluentRegistry(url, SUBJECTS)
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
