"""This replica: its name, its HTTP port, its retries and how long it may take to stop."""

import re
import socket

from pydantic import Field, field_validator

from consumer.settings.variables import DurationS, DurationsS, Group


class ServiceSettings(Group):
    """This replica. Times are seconds."""

    instance_id: str = Field(
        default_factory=socket.gethostname,
        description="this replica: transactional id, logs, and, where it is set, static membership",
    )
    http_host: str = Field(default="127.0.0.1", description="address of `/health`, `/ready`, `/started`, `/metrics`")
    http_port: int = Field(default=8080, ge=0, le=65535, description="their port; 0: any free one")
    retry_delays: DurationsS = Field(default=(10.0, 60.0, 600.0), description="one retry topic each")
    target_wait_s: DurationS = Field(
        default=60.0, gt=0, description="how long a request may wait, for `separation_desired_replicas`"
    )
    shutdown_grace_s: DurationS = Field(default=30.0, ge=0, description="time to finish what is begun after SIGTERM")

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
