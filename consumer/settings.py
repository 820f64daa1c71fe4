"""The environment, read once and checked: nothing else in the package reads it.

Each group is loaded by the commands that need it, so that `request` does not ask for MinIO. A wrong or missing
value raises SettingsError with one line that names the variable.
"""

import os
import re
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, ByteSize, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from consumer.errors import SettingsError

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration_s(text: str) -> float:
    """Seconds of '250ms', '10s', '1m', '2h', '1d' or a bare number of seconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", text)
    if not match:
        raise ValueError(f"not a duration such as 10s, 1m or 2h: {text!r}")
    return float(match[1]) * _UNIT_S[match[2] or "s"]


def _split(convert: Callable[[str], Any]) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(convert(part.strip()) for part in value.split(",") if part.strip())

    return parse


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split(str))]
DurationsS = Annotated[tuple[float, ...], NoDecode, BeforeValidator(_split(parse_duration_s))]
DurationS = Annotated[float, BeforeValidator(lambda v: parse_duration_s(v) if isinstance(v, str) else v)]


def _config(env_prefix: str = "") -> SettingsConfigDict:
    # Names such as model_path are ours, not pydantic's.
    return SettingsConfigDict(
        frozen=True, env_ignore_empty=True, extra="ignore", protected_namespaces=(), env_prefix=env_prefix
    )


class _Group(BaseSettings):
    model_config = _config()

    @classmethod
    def load(cls) -> Self:
        """Read this group from the environment. Raises SettingsError."""
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError("; ".join(_line(cls, e["loc"], e["type"], e["msg"]) for e in error.errors())) from None

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Each environment variable of this group and what it means."""
        prefix = cls.model_config.get("env_prefix", "")
        return {f"{prefix}{name}".upper(): field.description or "" for name, field in cls.model_fields.items()}


def _line(group: type[_Group], loc: tuple[int | str, ...], kind: str, message: str) -> str:
    name = f"{group.model_config.get('env_prefix', '')}{loc[0]}".upper() if loc else group.__name__
    if kind == "missing":
        return f"{name} must be set"
    said = message.removeprefix("Value error, ")
    return said if not loc else f"{name}: {said[:1].lower()}{said[1:]}"


class KafkaSettings(_Group):
    model_config = _config(env_prefix="KAFKA_")

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


class TopicSettings(_Group):
    model_config = _config(env_prefix="TOPIC_")

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


class SchemaSettings(_Group):
    schema_registry_url: str | None = Field(
        None,
        repr=False,  # may hold a password
        description="set: Confluent wire format; unset: Avro single-object encoding; both are accepted on input",
    )


class StoreSettings(_Group):
    model_config = _config(env_prefix="MINIO_")

    endpoint: str = Field(description="object storage, as host:port")
    access_key: str = Field(description="its access key")
    secret_key: SecretStr = Field(description="its secret key")
    secure: bool = Field(default=True, description="TLS to object storage")

    @field_validator("endpoint")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        if "://" in value or "/" in value:
            raise ValueError(f"must be host:port without a scheme or path, not {value!r}")
        return value


class JobSettings(_Group):
    allowed_source_buckets: Words = Field(description="buckets that requests may read from")
    output_bucket: str = Field(description="bucket for the stems")
    output_prefix: str = Field("stems/", description="prefix for the stems")
    allowed_output_buckets: Words = Field((), description="further buckets that a request may name for its stems")
    max_object_bytes: ByteSize = Field(ByteSize(512 * 1024**2), description="largest object that is fetched")
    max_audio_seconds: float = Field(7200.0, gt=0, description="longest audio that is separated")
    allowed_formats: Words = Field(
        ("mp3", "wav", "w64", "flac", "ogg", "mov", "aac", "aiff", "asf", "matroska", "caf", "au", "ac3", "eac3", "wv",
         "ape", "tta", "amr", "mpegts", "mpeg", "avi", "flv"),
        description="containers that are opened, by ffmpeg's demuxer names (`mov` is mp4 and m4a too)",
    )  # fmt: skip
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


class SeparatorSettings(_Group):
    model_path: Path = Field(Path("pretrained_models"), description="folder that holds `2stems/`, `4stems/`, `5stems/`")
    models: Words = Field(("2stems",), description="models that must be loadable before work begins")
    model_sources: Words = Field(
        ("https://github.com/deezer/spleeter/releases/download/v1.4.0",),
        description="where a missing model is fetched from, in this order: release URLs, `s3://bucket/prefix`; `none`",
    )
    scratch_dir: Path = Field(Path(tempfile.gettempdir()), description="where tracks lie while they are worked on")
    separator_processes: int = Field(1, ge=1, le=64, description="separators a replica")
    separator_runtime: Literal["tensorflow", "openvino"] = Field(
        "tensorflow", description="what computes the networks; `openvino` (an extra) starts sooner, in less memory"
    )
    ffmpeg_path: str | None = Field(None, description="ffmpeg to use; unset: the one that is installed with us")


class ServiceSettings(_Group):
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


class LogSettings(_Group):
    model_config = _config(env_prefix="LOG_")

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level that is logged")
    format: Literal["json", "console"] = Field("json", description="`json`, or `console` for people")


GROUPS: tuple[type[_Group], ...] = (
    KafkaSettings,
    TopicSettings,
    SchemaSettings,
    StoreSettings,
    JobSettings,
    SeparatorSettings,
    ServiceSettings,
    LogSettings,
)
