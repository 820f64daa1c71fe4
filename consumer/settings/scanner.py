"""Where the malware scanner listens."""

from pathlib import Path

from pydantic import Field, field_validator

from consumer.settings.variables import Group, config, parse_place


class ScannerSettings(Group):
    """Where the malware scanner listens, if there is one."""

    model_config = config(env_prefix="CLAMD_")

    address: str | None = Field(
        default=None,
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
        """The address as host and port or as a socket's path; None where no scanner is used."""
        return None if self.address is None else parse_place(self.address)
