"""How the brokers are reached, and which librdkafka properties may be set."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator
from pydantic_settings import NoDecode

from consumer.core.errors import SettingsError
from consumer.settings.kafka_properties import objection_to, property_of, secret_in
from consumer.settings.secret_files import SecretFile
from consumer.settings.variables import Group, WrongVariable, config


class KafkaSettings(Group):
    """How the brokers are reached. `properties` holds every other KAFKA_<PROPERTY> by librdkafka's name for it."""

    model_config = config(env_prefix="KAFKA_")

    bootstrap_servers: str = Field(description="brokers, as host:port,host:port")
    group_id: str = Field(default="spleeter-consumer", description="consumer group")
    group_protocol: Literal["consumer", "classic"] = Field(
        default="consumer", description="`consumer` is KIP-848 (brokers from 4.0); `classic` for older ones"
    )
    # Any other KAFKA_<PROPERTY>; may hold passwords, so it is never shown.
    properties: Annotated[dict[str, str], NoDecode] = Field(default={}, exclude=True, repr=False, description="")

    _secret_files: dict[str, SecretFile] = PrivateAttr(default_factory=dict)

    # Set by Kubernetes for a service named kafka, kafka-broker, ...; no librdkafka property looks like these.
    _NOT_PROPERTIES: ClassVar[re.Pattern[str]] = re.compile(
        r"KAFKA_(\w+_)?(SERVICE_(HOST|PORT)|PORT)(_|$)|KAFKA_PROPERTIES$"
    )

    @field_validator("properties", mode="before")
    @classmethod
    def _no_json(cls, value: Any) -> Any:
        return {} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _collect_properties(self) -> Self:
        own = {"KAFKA_BOOTSTRAP_SERVERS", "KAFKA_GROUP_ID", "KAFKA_GROUP_PROTOCOL"}
        found = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("KAFKA_") and value and name not in own and not self._NOT_PROPERTIES.match(name)
        }
        files = {name: found.pop(name) for name in list(found) if secret_in(name)}
        for name, path in sorted(files.items()):
            self._secret_files[secret_in(name)] = _secret_file(name, path, found)
        objections = {name: objection_to(property_of(name), value) for name, value in sorted(found.items())}
        if lines := [f"{name}: {objection}" for name, objection in objections.items() if objection]:
            first, _, reasons = "; ".join(lines).partition(": ")
            raise WrongVariable(first, reasons)
        self.properties.update({property_of(name): value for name, value in found.items()})
        return self

    @property
    def secret_files(self) -> Mapping[str, SecretFile]:
        """By librdkafka's name for it, each property whose value lies in a file; `properties` has none of these."""
        return self._secret_files


def _secret_file(variable: str, path: str, found: Mapping[str, str]) -> SecretFile:
    """The file of a secret that is in no other variable, and can be read now."""
    in_text = [name for name in found if property_of(name) == secret_in(variable)]
    if in_text:
        raise WrongVariable(variable, f"{in_text[0]} is set too")
    file = SecretFile(variable, Path(path))
    try:
        file.read()
    except SettingsError as error:
        raise WrongVariable(variable, str(error).removeprefix(f"{variable}: ")) from None
    return file
