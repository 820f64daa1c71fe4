"""All the settings of a gateway together."""

from dataclasses import dataclass
from typing import Self, get_type_hints

from consumer.settings import (
    AccessSettings,
    AuditSettings,
    ClientSettings,
    GatewaySettings,
    JobSettings,
    KafkaSettings,
    SchemaSettings,
    ServiceSettings,
    TopicSettings,
    TracingSettings,
    UploadSettings,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that `api` needs."""

    kafka: KafkaSettings
    topics: TopicSettings
    schema: SchemaSettings
    job: JobSettings
    client: ClientSettings
    service: ServiceSettings
    access: AccessSettings
    gateway: GatewaySettings
    audit: AuditSettings
    uploads: UploadSettings
    tracing: TracingSettings

    @classmethod
    def load(cls) -> Self:
        """From the environment. Raises SettingsError."""
        return cls(**{name: group.load() for name, group in get_type_hints(cls).items()})
