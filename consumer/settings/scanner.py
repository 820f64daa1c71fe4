"""Where the malware scanner listens, and what becomes of what it finds."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from consumer.settings.variables import Group, WrongVariable, config, parse_place


class ScannerSettings(Group):
    """Where the malware scanner listens, if there is one."""

    model_config = config(env_prefix="CLAMD_")

    address: str | None = Field(
        default=None,
        description="malware scanner that sees each object before anything opens it: host:port or a unix socket's path;"
        " several with commas between them: the next is asked where one gives no answer",
    )
    required: bool = Field(default=False, description="`run` refuses to start without `CLAMD_ADDRESS`")
    quarantine: Literal["none", "tag", "move"] = Field(
        default="none",
        description="what becomes of an object in which something was found: `none`: it stays; `tag`: it is marked; "
        "`move`: it is moved away",
    )
    quarantine_bucket: str | None = Field(
        default=None, description="where `move` puts it, as `<bucket>/<key>`; no bucket that requests may read"
    )

    @field_validator("address")
    @classmethod
    def _places(cls, value: str | None) -> str | None:
        if value is not None and not [parse_place(each.strip()) for each in value.split(",") if each.strip()]:
            raise ValueError("must name at least one scanner")
        return value

    @model_validator(mode="after")
    def _goes_together(self) -> "ScannerSettings":
        if self.required and self.address is None:
            raise WrongVariable("CLAMD_ADDRESS", "must be set where CLAMD_REQUIRED is true")
        if self.quarantine == "move" and self.quarantine_bucket is None:
            raise WrongVariable("CLAMD_QUARANTINE_BUCKET", "must be set where CLAMD_QUARANTINE is move")
        return self

    @property
    def places(self) -> tuple[tuple[str, int] | Path, ...]:
        """Each address as host and port or as a socket's path; none where no scanner is used."""
        return tuple(parse_place(each.strip()) for each in (self.address or "").split(",") if each.strip())
