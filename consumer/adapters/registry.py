"""A Confluent-compatible schema registry."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka.schema_registry import Schema as RegistrySchema
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from consumer.adapters.avro.codec import Schema
from consumer.adapters.network_errors import reason_of
from consumer.core.errors import Code, RegistryUnavailable, Rejected

_NOT_FOUND = 404
_TIMEOUT_S, _CHECK_S = 10, 3  # a probe wants to know soon


class ConfluentRegistry:
    """Schemas by id, and ids of our own schemas, which are registered where they are not yet.

    subjects: event name, such as separation_result -> subject, by convention `<topic>-value`.
    """

    def __init__(self, url: str, subjects: Mapping[str, str]) -> None:
        self._client = SchemaRegistryClient({"url": url, "max.retries": 0, "timeout": _TIMEOUT_S})
        self._prober = SchemaRegistryClient({"url": url, "max.retries": 0, "timeout": _CHECK_S})
        self._subjects = subjects

    def check(self) -> None:
        """Answers, and to us; else RegistryUnavailable with the reason. What it holds does not matter."""
        try:
            with _reached():
                self._prober.get_versions(next(iter(self._subjects.values())))
        except SchemaRegistryError as error:
            if error.http_status_code != _NOT_FOUND:
                raise RegistryUnavailable(f"the schema registry answered {error.http_status_code}") from error

    def schema(self, schema_id: int) -> Schema:
        try:
            with _reached():
                found = self._client.get_schema(schema_id)
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                raise Rejected(Code.SCHEMA_UNKNOWN, f"the registry knows no schema id {schema_id}") from error
            raise RegistryUnavailable(f"the schema registry answered {error.http_status_code}") from error
        if found.schema_type != "AVRO" or found.schema_str is None:
            raise Rejected(Code.SCHEMA_UNKNOWN, f"schema id {schema_id} is not Avro")
        try:
            parsed: Schema = json.loads(found.schema_str)
        except ValueError as error:
            raise Rejected(Code.SCHEMA_UNKNOWN, f"schema id {schema_id} is not JSON") from error
        return parsed

    def subject(self, name: str) -> str:
        """The subject that an event's schema is registered under."""
        return self._subjects[name]

    def versions(self, name: str) -> dict[int, Schema]:
        """All schemas of an event that were registered, by version; none where its subject is not there.

        Raises RegistryUnavailable.
        """
        subject = self._subjects[name]
        try:
            with _reached():
                numbers = self._client.get_versions(subject)
                found = {number: self._client.get_version(subject, number).schema.schema_str for number in numbers}
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return {}
            raise RegistryUnavailable(f"the schema registry answered {error.http_status_code}") from error
        try:
            return {number: json.loads(text or "") for number, text in found.items()}
        except ValueError as error:
            raise RegistryUnavailable(f"subject {subject} holds a schema that is not Avro") from error

    def id_of(self, name: str, schema: Schema) -> int:
        try:
            with _reached():
                return self._client.register_schema(self._subjects[name], RegistrySchema(json.dumps(schema), "AVRO"))
        except SchemaRegistryError as error:
            raise RegistryUnavailable(f"the schema registry refused {name}: {error.error_message}") from error


@contextmanager
def _reached() -> Iterator[None]:
    """Raises RegistryUnavailable for whatever the client raises, but lets through what the registry itself answered."""
    try:
        yield
    except SchemaRegistryError:
        raise
    except Exception as error:  # its HTTP library's own, and which library that is depends on what is installed
        raise RegistryUnavailable(f"the schema registry can't be reached ({reason_of(error)})") from error
