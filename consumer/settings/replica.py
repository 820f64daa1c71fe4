"""All the settings of a replica together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self, get_type_hints

from consumer.core.errors import SettingsError
from consumer.settings.audit import AuditSettings
from consumer.settings.job import JobSettings
from consumer.settings.kafka import KafkaSettings
from consumer.settings.scanner import ScannerSettings
from consumer.settings.separator import SeparatorSettings
from consumer.settings.service import ServiceSettings
from consumer.settings.telemetry import TracingSettings
from consumer.settings.topics import SchemaSettings, TopicSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that `run` needs."""

    kafka: KafkaSettings
    topics: TopicSettings
    schema: SchemaSettings
    job: JobSettings
    scanner: ScannerSettings
    separator: SeparatorSettings
    service: ServiceSettings
    audit: AuditSettings
    tracing: TracingSettings

    @classmethod
    def load(cls) -> Self:
        """From the environment. Raises SettingsError."""
        return cls(**{name: group.load() for name, group in get_type_hints(cls).items()})

    @classmethod
    def load_usable(cls) -> tuple[Self, list[SettingsError]]:
        """What can be read of all groups, and what is wrong, an error a group; see Group.load_usable."""
        loaded = {name: group.load_usable() for name, group in get_type_hints(cls).items()}
        problems = [problem for _, problem in loaded.values() if problem]
        return cls(**{name: group for name, (group, _) in loaded.items()}), problems

    @property
    def retry_topics(self) -> list[str]:
        """One for each of RETRY_DELAYS, in their order."""
        return retry_topics(self.topics, self.service)

    @property
    def scratch_folder(self) -> Path:
        """A folder of this replica's own, so that what an earlier incarnation left behind can be removed."""
        name = f"{self.kafka.group_id}-{self.service.instance_id}".replace("/", "_")
        return self.separator.scratch_dir / name


def retry_topics(topics: TopicSettings, service: ServiceSettings) -> list[str]:
    """The topics that retries go through, one for each of RETRY_DELAYS."""
    return [topics.retry(number) for number in range(1, len(service.retry_delays) + 1)]
