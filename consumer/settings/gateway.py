"""The HTTP gateway: what clients may take, and where its index lies."""

import tempfile
from pathlib import Path

from pydantic import Field

from consumer.settings.variables import Group


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
