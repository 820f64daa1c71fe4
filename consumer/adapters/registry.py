"""A Confluent-compatible schema registry."""

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import fastavro

from consumer.adapters.avro.codec import Schema, load_schema
from consumer.adapters.avro.references import inlined
from consumer.adapters.avro.schema_text import MAX_TEXT, schema_of
from consumer.adapters.avro.shapes import read_schema
from consumer.adapters.registry_client import AnswerTooLong, Refused, RegistryClient
from consumer.core.errors import Code, RegistryMisconfigured, RegistryRefusal, RegistryUnavailable, Rejected

_TIMEOUT_S, _CHECK_S = 10, 3  # a probe wants to know soon
_MAX_REFERENCES = 64  # that a schema may have, those of the schemas that it refers to included
_MAX_ALL_TEXT = 4 * MAX_TEXT  # of a schema and all that it refers to, in characters
_REFERENCES_S = 10  # for all of them: a poll loop may be waiting
_MAX_ID = (1 << 32) - 1  # what Confluent's wire format has room for

# The registry's codes, each with the status 404 or 422, for "there is no such thing" of what was asked for.
_NO_SUBJECT = frozenset({40401, 40404})
_NO_SCHEMA = frozenset({40403})
_NO_VERSION = _NO_SUBJECT | _NO_SCHEMA | {40402, 40406, 42202}
# To who would register: not this schema, or not this client.
_NOT_THIS_SCHEMA = frozenset({409, 42201, 42207, 42208})
_NOT_THIS_CLIENT = frozenset({403, 40301, 42205})


class ConfluentRegistry:
    """Schemas by id, and ids of our own schemas. See codec.Registry. Thread-safe.

    subjects: event name, such as separation_result -> subject, by convention `<topic>-value`. writes: the events that
    `check` wants to find there. registers: whether a schema of ours that is not there is registered when it is needed.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        subjects: Mapping[str, str],
        *,
        writes: Sequence[str] = (),
        registers: bool = False,
    ) -> None:
        self._client = RegistryClient(url, timeout_s=_TIMEOUT_S)
        self._prober = RegistryClient(url, timeout_s=_CHECK_S)
        self._subjects, self._writes, self._registers = subjects, writes, registers
        self._ids: dict[str, int] = {}  # of the events whose schema is known to be there: an id is for ever

    def check(self) -> None:
        """Answers, to us, and has the schemas that are written with; else RegistryUnavailable with the reason.

        It is asked in the ways in which a job asks: for a subject, and for the schema of an id.
        """
        try:
            _numbers(self._prober.get("subjects", next(iter(self._subjects.values())), "versions"))
        except Refused as refused:
            if refused.code not in _NO_SUBJECT:
                kind = RegistryRefusal if refused.status in (401, 403) else RegistryUnavailable
                raise kind(
                    f"SCHEMA_REGISTRY_URL: {refused.told}" if kind is RegistryRefusal else refused.told
                ) from refused
        for name in self._writes:
            if name not in self._ids:
                self.id_of(name, load_schema(name))
        if self._ids:
            schema_id = next(iter(self._ids.values()))
            try:
                _parsed(self._prober.get("schemas", "ids", schema_id), f"schema id {schema_id}")
            except Refused as refused:
                raise RegistryUnavailable(f"{refused.told} to schema id {schema_id}, which is ours") from refused
            except Rejected as rejected:
                raise RegistryUnavailable(rejected.message) from rejected

    def close(self) -> None:
        """Let its connections go; it is not used any more."""
        self._client.close()
        self._prober.close()

    def schema(self, schema_id: int) -> Schema:
        """The schema of that id, whole: with the definitions that it refers to in other subjects.

        What it says is anybody's who may register one: only its text is bounded here, in length and depth.
        """
        try:
            found = self._client.get("schemas", "ids", schema_id)
        except Refused as refused:
            _raise(refused, _NO_SCHEMA, f"the registry knows no schema id {schema_id}")
        except AnswerTooLong as error:
            raise Rejected(Code.SCHEMA_UNKNOWN, f"schema id {schema_id} is too long") from error
        schema: Schema = _parsed(found, f"schema id {schema_id}")
        others = self._referenced(found, schema_id)
        whole: Schema = inlined(schema, others) if others else schema
        return whole

    def _referenced(self, found: Schema, schema_id: int) -> list[Schema]:
        """All schemas that one refers to, and those that they refer to."""
        others: dict[tuple[str, int], Schema] = {}
        waiting, length = deque(_references(found)), len(found["schema"])
        until = time.monotonic() + _REFERENCES_S
        while waiting:
            if time.monotonic() > until:
                raise RegistryUnavailable("the schema registry gave no proper answer (its references take too long)")
            subject, version = place = waiting.popleft()
            if place in others:
                continue
            if len(others) == _MAX_REFERENCES:
                reason = f"schema id {schema_id} refers to more than {_MAX_REFERENCES} schemas"
                raise Rejected(Code.SCHEMA_UNKNOWN, reason)
            what = f"version {version} of {subject}, which schema id {schema_id} refers to,"
            try:
                other = self._client.get("subjects", subject, "versions", version, deleted="true")
            except Refused as refused:
                _raise(refused, _NO_VERSION, f"{what} is not in the registry")
            except AnswerTooLong as error:
                raise Rejected(Code.SCHEMA_UNKNOWN, f"{what} is too long") from error
            others[place] = _parsed(other, what)
            length += len(other["schema"])
            if length > _MAX_ALL_TEXT:
                raise Rejected(Code.SCHEMA_UNKNOWN, f"schema id {schema_id} is too long with all that it refers to")
            waiting += _references(other)
        return list(others.values())

    def subject(self, name: str) -> str:
        """The subject that an event's schema is registered under."""
        return self._subjects[name]

    def versions(self, name: str) -> dict[int, Schema]:
        """All schemas of an event that were registered, by version; none where its subject is not there.

        Raises RegistryUnavailable.
        """
        found = self._by_version(name)
        try:
            return {number: _parsed(answer, "a schema of ours") for number, answer in found.items()}
        except Rejected as rejected:
            reason = f"subject {self._subjects[name]} holds a schema that is not Avro"
            raise RegistryUnavailable(reason) from rejected

    def _by_version(self, name: str) -> dict[int, Schema]:
        subject = self._subjects[name]
        try:
            numbers = _numbers(self._client.get("subjects", subject, "versions"))
            return {number: self._version(subject, number) for number in numbers}
        except Refused as refused:
            if refused.code in _NO_VERSION:
                return {}
            raise RegistryUnavailable(refused.told) from refused

    def _version(self, subject: str, number: int) -> Any:
        """One that is longer than any schema is no schema; it must not hide the others."""
        try:
            return self._client.get("subjects", subject, "versions", number)
        except AnswerTooLong:
            return {"schema": ""}

    def id_of(self, name: str, schema: Schema) -> int:
        """See codec.Registry. It is looked up; only who `registers` then registers it.

        Raises RegistryMisconfigured where it is not there and can't be registered, with the reason.
        """
        if name in self._ids:
            return self._ids[name]
        if self._registers:
            return self.register(name, schema)
        if (found := self._looked_up(name, schema)) is None:
            raise RegistryMisconfigured(
                f"the schema registry has no schema of {name} under {self._subjects[name]}: `schemas register` "
                "registers it, and so does a replica with SCHEMA_REGISTRY_AUTO_REGISTER=true"
            )
        self._ids[name] = found
        return found

    def register(self, name: str, schema: Schema) -> int:
        """The id of the schema, which is registered if it is not there yet.

        Raises RegistryMisconfigured where that is refused, RegistryUnavailable.
        """
        found = self._looked_up(name, schema)
        self._ids[name] = self._registered(name, schema) if found is None else found
        return self._ids[name]

    def _looked_up(self, name: str, schema: Schema) -> int | None:
        """The id of that very schema; else of one that differs in words for people alone."""
        try:
            return _id(self._client.post("subjects", self._subjects[name], body=_body(schema)))
        except Refused as refused:
            if refused.code in _NO_SUBJECT:
                return None
            if refused.code not in _NO_SCHEMA:
                raise RegistryUnavailable(refused.told) from refused
        ours = _without_words(schema)
        same = [found for found in self._by_version(name).values() if _without_words(_text(found)) == ours]
        return _id(same[-1]) if same else None

    def _registered(self, name: str, schema: Schema) -> int:
        subject = self._subjects[name]
        try:
            return _id(self._client.post("subjects", subject, "versions", body=_body(schema)))
        except Refused as refused:
            if refused.code in _NOT_THIS_SCHEMA:
                raise RegistryMisconfigured(f"the schema registry refused {name}: {refused.message}") from refused
            if refused.code in _NOT_THIS_CLIENT:
                reason = f"the schema registry lets us register nothing, and has no schema of {name} under {subject}"
                raise RegistryMisconfigured(reason) from refused
            raise RegistryUnavailable(refused.told) from refused


def _raise(refused: Refused, not_there: frozenset[int], told: str) -> NoReturn:
    """Raises Rejected(SCHEMA_UNKNOWN) if what was asked for is not there, else RegistryUnavailable."""
    if refused.code in not_there:
        raise Rejected(Code.SCHEMA_UNKNOWN, told) from refused
    raise RegistryUnavailable(refused.told) from refused


def _improper() -> RegistryUnavailable:
    return RegistryUnavailable("the schema registry gave no proper answer (it is not what was asked for)")


def _parsed(found: Any, what: str) -> Any:
    """The schema in an answer. Raises Rejected(SCHEMA_UNKNOWN) if it is none of Avro's, RegistryUnavailable."""
    if not isinstance(found, dict) or not isinstance(text := found.get("schema"), str):
        raise _improper()
    if found.get("schemaType") not in ("AVRO", None):
        raise Rejected(Code.SCHEMA_UNKNOWN, f"{what} is not Avro")
    return schema_of(text, what)


def _numbers(found: Any) -> list[int]:
    if not isinstance(found, list) or not all(isinstance(number, int) for number in found):
        raise _improper()
    return found


def _references(found: Schema) -> list[tuple[str, int]]:
    """Subject and version of each schema that one refers to."""
    references = found.get("references") or []
    try:
        return [(str(each["subject"]), int(each["version"])) for each in references]
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise _improper() from error


def _id(found: Any) -> int:
    if not isinstance(found, dict) or not isinstance(schema_id := found.get("id"), int):
        raise _improper()
    if not 0 <= schema_id <= _MAX_ID:
        raise _improper()
    return schema_id


def _body(schema: Schema) -> Schema:
    return {"schema": json.dumps(schema)}


def _text(found: Any) -> Any:
    try:
        return _parsed(found, "a schema of ours")
    except Rejected:
        return None


def _without_words(schema: Any) -> Any:
    """What two schemas have in common that mean the same to every reader, however they are written down; None for what
    is no schema.
    """
    try:
        read_schema(schema)
        return _no_docs(fastavro.parse_schema(_no_docs(schema)))
    except Exception:  # noqa: BLE001 - whatever comes of what is no schema
        return None


def _no_docs(part: Any) -> Any:
    if isinstance(part, list):
        return [_no_docs(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {name: _no_docs(value) for name, value in part.items() if name != "doc" and not name.startswith("__")}
