"""What the deployment files set, beside what there is to be set."""

from collections.abc import Iterable

from consumer.settings import GROUPS

# librdkafka's, OpenSSL's and OpenTelemetry's, for connections that are secured.
_OF_LIBRARIES = {
    "KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD",
    "KAFKA_SSL_CA_LOCATION", "SSL_CERT_FILE", "OTEL_EXPORTER_OTLP_CERTIFICATE",
}  # fmt: skip


def unknown(variables: Iterable[str]) -> set[str]:
    """Those that nobody would read."""
    return set(variables) - {name for group in GROUPS for name in group.variables()} - _OF_LIBRARIES


def missing(variables: Iterable[str]) -> set[str]:
    """Those without a default that are not set."""
    required = {
        f"{group.model_config.get('env_prefix', '')}{name}".upper()
        for group in GROUPS
        for name, field in group.model_fields.items()
        if field.is_required()
    }
    return required - set(variables)
