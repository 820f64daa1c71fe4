"""The environment, read once and checked: nothing else in the package reads it.

Each group is loaded by the commands that need it, so that `request` does not ask for MinIO. A wrong or missing
value raises SettingsError with one line that names the variable.
"""

import os
import re
import socket
import tempfile
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, ByteSize, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from consumer.catalog import SOURCE_FORMATS
from consumer.variables import (
    DurationS,
    DurationsS,
    Group,
    Words,
    check_endpoint,
    check_url,
    config,
    parse_place,
    split,
)


class KafkaSettings(Group):
    model_config = config(env_prefix="KAFKA_")

    bootstrap_servers: str = Field(description="brokers, as host:port,host:port")
    group_id: str = Field("spleeter-consumer", description="consumer group")
    group_protocol: Literal["consumer", "classic"] = Field(
        "consumer", description="`consumer` is KIP-848 (brokers from 4.0); `classic` for older ones"
    )
    # Any other KAFKA_<PROPERTY>; may hold passwords, so it is never shown.
    properties: Annotated[dict[str, str], NoDecode] = Field({}, exclude=True, repr=False, description="")

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
            raise ValueError(f"{variable_of(name)}: is set by the consumer itself and can't be changed")
        self.properties.update(found)
        return self


def variable_of(librdkafka_property: str) -> str:
    """The environment variable that sets a librdkafka property."""
    return "KAFKA_" + librdkafka_property.upper().replace(".", "_")


def environment_without_secrets() -> dict[str, str]:
    """This process's environment for the one that touches untrusted bytes."""
    secret = ("KAFKA_", "MINIO_", "AWS_", "SPLEETER_API_KEY", "SCHEMA_REGISTRY_")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(secret) and not re.fullmatch(r"OTEL_\w*_HEADERS", name)
    }


class TopicSettings(Group):
    model_config = config(env_prefix="TOPIC_")

    requests: str = Field(
        "separation.requests", description="requests; retry topics are `<requests>.retry-1`, `-2`, ..."
    )
    results: str = Field("separation.results", description="results")
    dead_letter: str = Field("separation.dead-letter", description="dead letters")
    progress: str = Field("separation.progress", description="progress, best effort")
    control: str = Field("separation.control", description="cancellations")
    audit: str = Field("separation.audit", description="audit events")

    def retry(self, attempt: int) -> str:
        """Topic of the attempt-th retry, from 1."""
        return f"{self.requests}.retry-{attempt}"


class SchemaSettings(Group):
    schema_registry_url: str | None = Field(
        None,
        repr=False,  # may hold a password
        description="set: Confluent wire format; unset: Avro single-object encoding; both are accepted on input",
    )

    @field_validator("schema_registry_url")
    @classmethod
    def _addresses(cls, value: str | None) -> str | None:
        for url in value.split(",") if value else ():  # several are those of one registry
            check_url(url.strip())
        return value


class StoreSettings(Group):
    model_config = config(env_prefix="MINIO_")

    endpoint: str = Field(description="object storage, as host:port")
    access_key: str = Field(description="its access key")
    secret_key: SecretStr = Field(description="its secret key")
    secure: bool = Field(default=True, description="TLS to object storage")

    @field_validator("endpoint")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        check_endpoint(value)
        return value


class JobSettings(Group):
    allowed_source_buckets: Words = Field(description="buckets that requests may read from")
    output_bucket: str = Field(description="bucket for the stems")
    output_prefix: str = Field("stems/", description="prefix for the stems")
    allowed_output_buckets: Words = Field((), description="further buckets that a request may name for its stems")
    max_object_bytes: ByteSize = Field(ByteSize(512 * 1024**2), description="largest object that is fetched")
    max_audio_seconds: float = Field(7200.0, gt=0, description="longest audio that is separated")
    allowed_formats: Words = Field(
        SOURCE_FORMATS,
        description="containers that are opened, by ffmpeg's demuxer names (`mov` is mp4 and m4a too)",
    )
    max_job_s: DurationS = Field(1800.0, gt=0, description="a job's time; then it is stopped")
    deduplicate_content: bool = Field(
        default=True,
        description="copy the stems where a tenant's same content was separated in the same way for another request",
    )

    @field_validator("allowed_source_buckets")
    @classmethod
    def _at_least_one(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("must name at least one bucket")
        return value


class ScannerSettings(Group):
    model_config = config(env_prefix="CLAMD_")

    address: str | None = Field(
        None,
        description="malware scanner that sees each object before anything opens it: host:port or a unix socket's path",
    )

    @field_validator("address")
    @classmethod
    def _place(cls, value: str | None) -> str | None:
        if value is not None:
            parse_place(value)
        return value

    @property
    def place(self) -> tuple[str, int] | Path | None:
        return None if self.address is None else parse_place(self.address)


class SeparatorSettings(Group):
    model_path: Path = Field(Path("pretrained_models"), description="folder that holds `2stems/`, `4stems/`, `5stems/`")
    models: Words = Field(("2stems",), description="models that must be loadable before work begins")
    model_sources: Words = Field(
        ("https://github.com/deezer/spleeter/releases/download/v1.4.0",),
        description="where a missing model is fetched from, in this order: release URLs, `s3://bucket/prefix`; `none`",
    )
    scratch_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()), description="where tracks lie while they are worked on"
    )
    separator_processes: int = Field(1, ge=1, le=64, description="separators a replica")
    separator_runtime: Literal["tensorflow", "openvino", "native"] = Field(
        "tensorflow",
        description="what computes the networks; of the extras, `openvino` takes least memory and `native` least time",
    )
    ffmpeg_path: str | None = Field(None, description="ffmpeg to use; unset: the one that is installed with us")


class ServiceSettings(Group):
    instance_id: str = Field(
        default_factory=socket.gethostname,
        description="this replica: transactional id, logs, and, where it is set, static membership",
    )
    http_host: str = Field("127.0.0.1", description="address of `/health`, `/ready`, `/started`, `/metrics`")
    http_port: int = Field(8080, ge=0, le=65535, description="their port; 0: any free one")
    retry_delays: DurationsS = Field((10.0, 60.0, 600.0), description="one retry topic each")
    target_wait_s: DurationS = Field(
        60.0, gt=0, description="how long a request may wait, for `separation_desired_replicas`"
    )
    shutdown_grace_s: DurationS = Field(30.0, ge=0, description="time to finish what is begun after SIGTERM")

    @property
    def is_static_member(self) -> bool:
        """Whether INSTANCE_ID was chosen by the operator and so outlives the process."""
        return "instance_id" in self.model_fields_set

    @field_validator("instance_id")
    @classmethod
    def _usable(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", value):
            raise ValueError("must be 1 to 200 characters of A-Za-z0-9._-")
        return value


class LogSettings(Group):
    model_config = config(env_prefix="LOG_")

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level that is logged")
    format: Literal["json", "console"] = Field("json", description="`json`, or `console` for people")


class TracingSettings(Group):
    """What decides whether spans are recorded, and by which exporter. All else is read by OpenTelemetry itself."""

    model_config = config(env_prefix="OTEL_")

    sdk_disabled: bool = Field(default=False, description="no traces, whatever else is set")
    traces_exporter: Annotated[
        tuple[Literal["otlp", "console", "none"], ...], NoDecode, BeforeValidator(split(str))
    ] = Field((), description="`otlp`, `console`, `none`; unset: `otlp` where an endpoint is set")
    exporter_otlp_endpoint: str | None = Field(
        None, repr=False, description="where traces are sent, such as http://collector:4318; unset: nowhere"
    )
    exporter_otlp_traces_endpoint: str | None = Field(None, repr=False, description="the same, as the whole URL")
    exporter_otlp_protocol: Literal["http/protobuf", "grpc"] = Field("http/protobuf", description="how")
    exporter_otlp_traces_protocol: Literal["http/protobuf", "grpc"] | None = Field(
        None, description="the same, for traces alone"
    )

    @property
    def exporters(self) -> tuple[str, ...]:
        """Names of the exporters; none where nothing is to be recorded."""
        if self.sdk_disabled:
            return ()
        if not self.traces_exporter:
            return ("otlp",) if self.exporter_otlp_endpoint or self.exporter_otlp_traces_endpoint else ()
        return tuple(name for name in self.traces_exporter if name != "none")

    @property
    def otlp_protocol(self) -> str:
        return self.exporter_otlp_traces_protocol or self.exporter_otlp_protocol


GROUPS: tuple[type[Group], ...] = (
    KafkaSettings,
    TopicSettings,
    SchemaSettings,
    StoreSettings,
    JobSettings,
    ScannerSettings,
    SeparatorSettings,
    ServiceSettings,
    LogSettings,
    TracingSettings,
)
