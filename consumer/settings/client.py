"""What platform code's client needs beside the brokers."""

from pydantic import Field

from consumer.settings.variables import Group


class ClientSettings(Group):
    """What the client needs to send local files."""

    upload_bucket: str | None = Field(
        default=None,
        description="bucket that the client puts local files into; unset: the first of `ALLOWED_SOURCE_BUCKETS`",
    )
