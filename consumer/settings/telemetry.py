"""What is logged, and where traces go."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode

from consumer.settings.variables import Group, config, split


class LogSettings(Group):
    """What is logged, and how."""

    model_config = config(env_prefix="LOG_")

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least level that is logged"
    )
    format: Literal["json", "console"] = Field(default="json", description="`json`, or `console` for people")


class MetricsSettings(Group):
    """What prometheus-client reads for itself; looked at here since it would end in a traceback."""

    prometheus_multiproc_dir: Path | None = Field(
        default=None,
        description="not needed, since a replica is one process. Set: a folder that can be written to, in which"
        " prometheus-client keeps what it counts",
    )

    @field_validator("prometheus_multiproc_dir")
    @classmethod
    def _can_be_written_to(cls, folder: Path | None) -> Path | None:
        if folder and not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            raise ValueError(f"{folder} is no folder that can be written to; unset it, or make it")
        return folder


class TracingSettings(Group):
    """What decides whether spans are recorded, and by which exporter. All else is read by OpenTelemetry itself."""

    model_config = config(env_prefix="OTEL_")

    sdk_disabled: bool = Field(default=False, description="no traces, whatever else is set")
    traces_exporter: Annotated[
        tuple[Literal["otlp", "console", "none"], ...], NoDecode, BeforeValidator(split(str))
    ] = Field(default=(), description="`otlp`, `console`, `none`; unset: `otlp` where an endpoint is set")
    exporter_otlp_endpoint: str | None = Field(
        default=None, repr=False, description="where traces are sent, such as http://collector:4318; unset: nowhere"
    )
    exporter_otlp_traces_endpoint: str | None = Field(
        default=None, repr=False, description="the same, as the whole URL"
    )
    exporter_otlp_protocol: Literal["http/protobuf", "grpc"] = Field(default="http/protobuf", description="how")
    exporter_otlp_traces_protocol: Literal["http/protobuf", "grpc"] | None = Field(
        default=None, description="the same, for traces alone"
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
        """How spans are sent: the one for traces where it is set, else the one for all signals."""
        return self.exporter_otlp_traces_protocol or self.exporter_otlp_protocol
