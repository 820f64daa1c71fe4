"""How the brokers are reached, and which librdkafka properties may be set."""

import os
import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

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

    # Set by Kubernetes for a service named kafka, kafka-broker, ...; no librdkafka property looks like these.
    _NOT_PROPERTIES: ClassVar[re.Pattern[str]] = re.compile(
        r"KAFKA_(\w+_)?(SERVICE_(HOST|PORT)|PORT)(_|$)|KAFKA_PROPERTIES$"
    )
    # The delivery promise rests on these; KAFKA_<PROPERTY> can't change them.
    _OURS: ClassVar[frozenset[str]] = frozenset(
        {
            "enable.auto.commit",
            "enable.auto.offset.store",
            "group.instance.id",
            "isolation.level",
            "metadata.recovery.strategy",
            "transactional.id",
        }
    )

    @field_validator("properties", mode="before")
    @classmethod
    def _no_json(cls, value: Any) -> Any:
        return {} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _collect_properties(self) -> Self:
        own = {"KAFKA_BOOTSTRAP_SERVERS", "KAFKA_GROUP_ID", "KAFKA_GROUP_PROTOCOL"}
        found = {
            name.removeprefix("KAFKA_").lower().replace("_", "."): value
            for name, value in os.environ.items()
            if name.startswith("KAFKA_") and value and name not in own and not self._NOT_PROPERTIES.match(name)
        }
        for name in sorted(found.keys() & self._OURS):
            raise WrongVariable(variable_of(name), "is set by the consumer itself and can't be changed")
        self.properties.update(found)
        return self


def variable_of(librdkafka_property: str) -> str:
    """The environment variable that sets a librdkafka property."""
    return "KAFKA_" + librdkafka_property.upper().replace(".", "_")
