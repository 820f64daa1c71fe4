"""The topics' names, and where their schemas are registered."""

from pydantic import Field, field_validator

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

    schema_registry_url: str | None = Field(
        default=None,
        repr=False,  # may hold a password
        description="set: Confluent wire format; unset: Avro single-object encoding; both are accepted on input",
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
