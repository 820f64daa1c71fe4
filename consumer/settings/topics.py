"""The topics' names, and where their schemas are registered."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from consumer.core.errors import SettingsError
from consumer.settings.variables import Group, check_url, config


class TopicSettings(Group):
    """The topics' names."""

    model_config = config(env_prefix="TOPIC_")

    requests: str = Field(
        default="separation.requests", description="requests; retry topics are `<requests>.retry-1`, `-2`, ..."
    )
    results: str = Field(default="separation.results", description="results")
    dead_letter: str = Field(default="separation.dead-letter", description="dead letters")
    progress: str = Field(default="separation.progress", description="progress, best effort")
    control: str = Field(default="separation.control", description="cancellations")
    audit: str = Field(default="separation.audit", description="audit events")

    def retry(self, attempt: int) -> str:
        """The topic of retry number `attempt`, from 1."""
        return f"{self.requests}.retry-{attempt}"


class SchemaSettings(Group):
    """Where the events' schemas are registered, if anywhere."""

    secret_fields: ClassVar[tuple[str, ...]] = ("schema_registry_url",)

    schema_registry_url: str | None = Field(
        default=None,
        repr=False,  # may hold a password
        description="set: Confluent wire format; unset: Avro single-object encoding; both are accepted on input",
    )

    schema_registry_url_file: Path | None = Field(
        default=None,
        description="a file that holds that, with its user and password, instead; followed when it changes",
    )
    schema_registry_auto_register: bool = Field(
        default=False,
        description="register a schema that is needed and not there; otherwise `schemas register` does that alone",
    )

    @field_validator("schema_registry_url")
    @classmethod
    def _addresses(cls, value: str | None) -> str | None:
        for url in value.split(",") if value else ():  # several are those of one registry
            check_url(url.strip())
        return value

    def registry_urls(self) -> Callable[[], str] | None:
        """What gives the registry's addresses, with commas between them, as they are now; None where there is none.

        It raises SettingsError, as this does, where its file holds none; the error does not hold them.
        """
        read = self.secret("schema_registry_url")
        if read is None or not self.schema_registry_url_file:
            return read

        def checked() -> str:
            try:
                for url in read().split(","):
                    check_url(url.strip())
            except ValueError as error:
                variable = self.variable("schema_registry_url_file")
                raise SettingsError(f"{variable}: {error}", variables=(variable,)) from None
            return read()

        checked()
        return checked
