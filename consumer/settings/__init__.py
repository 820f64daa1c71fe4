"""The environment, read once and checked: nothing else in the package reads it.

Each group is loaded by the commands that need it, so that `request` does not ask for MinIO. A wrong or missing
value raises SettingsError with one line that names the variable. Each name here is found when it is first used, so that
a command makes no groups but its own.
"""

from typing import TYPE_CHECKING

from consumer.core.lazy import lazy_names

if TYPE_CHECKING:
    from consumer.settings.access import AccessSettings
    from consumer.settings.audit import AuditSettings
    from consumer.settings.client import ClientSettings
    from consumer.settings.environment import environment_without_secrets
    from consumer.settings.gateway import GatewaySettings
    from consumer.settings.http_client import HttpClientSettings
    from consumer.settings.job import JobSettings
    from consumer.settings.kafka import KafkaSettings
    from consumer.settings.kafka_properties import variable_of
    from consumer.settings.replica import Settings, retry_topics
    from consumer.settings.retention import RetentionSettings, retention_days, retention_ms
    from consumer.settings.scanner import ScannerSettings
    from consumer.settings.separator import SeparatorSettings
    from consumer.settings.service import ServiceSettings
    from consumer.settings.store import (
        CredentialSource,
        MinioSettings,
        ObjectStoreSettings,
        StoreKeys,
        credential_sources,
    )
    from consumer.settings.telemetry import LogSettings, MetricsSettings, TracingSettings
    from consumer.settings.topics import SchemaSettings, TopicSettings
    from consumer.settings.uploads import UploadSettings
    from consumer.settings.variables import Group
    from consumer.settings.webhooks import WebhookSettings

    GROUPS: tuple[type[Group], ...]

_NAMES = {
    "access": ("AccessSettings",),
    "audit": ("AuditSettings",),
    "client": ("ClientSettings",),
    "environment": ("environment_without_secrets",),
    "gateway": ("GatewaySettings",),
    "http_client": ("HttpClientSettings",),
    "job": ("JobSettings",),
    "kafka": ("KafkaSettings",),
    "kafka_properties": ("variable_of",),
    "replica": (
        "Settings",
        "retry_topics",
    ),
    "retention": (
        "RetentionSettings",
        "retention_days",
        "retention_ms",
    ),
    "scanner": ("ScannerSettings",),
    "separator": ("SeparatorSettings",),
    "service": ("ServiceSettings",),
    "store": (
        "CredentialSource",
        "MinioSettings",
        "ObjectStoreSettings",
        "StoreKeys",
        "credential_sources",
    ),
    "telemetry": (
        "LogSettings",
        "MetricsSettings",
        "TracingSettings",
    ),
    "topics": (
        "SchemaSettings",
        "TopicSettings",
    ),
    "uploads": ("UploadSettings",),
    "variables": ("Group",),
    "webhooks": ("WebhookSettings",),
}  # by the module that they are in
_GROUPS = (
    "KafkaSettings",
    "TopicSettings",
    "SchemaSettings",
    "ObjectStoreSettings",
    "MinioSettings",
    "JobSettings",
    "ScannerSettings",
    "SeparatorSettings",
    "ServiceSettings",
    "AuditSettings",
    "RetentionSettings",
    "LogSettings",
    "MetricsSettings",
    "TracingSettings",
    "ClientSettings",
    "HttpClientSettings",
    "AccessSettings",
    "GatewaySettings",
    "UploadSettings",
    "WebhookSettings",
)

__all__ = [
    "GROUPS",
    "AccessSettings",
    "AuditSettings",
    "ClientSettings",
    "CredentialSource",
    "GatewaySettings",
    "Group",
    "HttpClientSettings",
    "JobSettings",
    "KafkaSettings",
    "LogSettings",
    "MetricsSettings",
    "MinioSettings",
    "ObjectStoreSettings",
    "RetentionSettings",
    "ScannerSettings",
    "SchemaSettings",
    "SeparatorSettings",
    "ServiceSettings",
    "Settings",
    "StoreKeys",
    "TopicSettings",
    "TracingSettings",
    "UploadSettings",
    "WebhookSettings",
    "credential_sources",
    "environment_without_secrets",
    "retention_days",
    "retention_ms",
    "retry_topics",
    "variable_of",
]


if not TYPE_CHECKING:  # else every name would be taken for one that is here
    _find = lazy_names(__name__, _NAMES)

    def __getattr__(name):
        return tuple(map(_find, _GROUPS)) if name == "GROUPS" else _find(name)
