"""The HTTP gateway: what clients may take, and where its index lies."""

import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from consumer.settings.variables import Group, check_url


class GatewaySettings(Group):
    """The HTTP gateway. Its address is HTTP_HOST and HTTP_PORT."""

    http_max_clients: int = Field(
        default=1000, ge=1, le=100_000, description="clients that the gateway serves at once; one more ends the oldest"
    )
    http_max_streams: int = Field(
        default=800, ge=1, le=100_000, description="streams of events that are open at once; keep it below the clients"
    )
    index_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()),
        description="where the gateway keeps its index of jobs, in a folder that goes with it; some 2 KB a job",
    )
    grafana_url: str | None = Field(
        default=None, description="address of the dashboard in Grafana, to which the page links for operators"
    )
    traces_url: str | None = Field(
        default=None,
        description="address of a trace, with `{trace_id}` for its id, or of all; the page links there for operators",
    )

    @field_validator("grafana_url", "traces_url")
    @classmethod
    def _addresses(cls, value: str | None) -> str | None:
        if value is not None:
            check_url(value)
            if "@" in urlsplit(value).netloc:
                raise ValueError("must not hold a user or a password: whoever may operate is shown it")
        return value
