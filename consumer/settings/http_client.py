"""What platform code's client needs to come by HTTP; its key is among the settings of access."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from consumer.settings.variables import Group, check_url


class HttpClientSettings(Group):
    """Where the gateway is. Nothing must be set here for others than `HttpClient`."""

    spleeter_api_url: str | None = Field(
        default=None,
        repr=False,
        description="where `HttpClient` finds the gateway, as in http://host:8080; its key is `SPLEETER_API_KEY`",
    )

    @field_validator("spleeter_api_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            check_url(value)
            parts = urlsplit(value)
            if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
                raise ValueError("must hold no user, no password, no ? and no #")
        return value
