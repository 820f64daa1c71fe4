"""Who may use the gateway, and how much."""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from consumer.settings.key_list import KeyRule
from consumer.settings.variables import Group, WrongVariable, check_url

_KEYS = KeyRule(shortest=16, longest=512, characters="[ -~]")
_OF_TOKENS = ("jwt_audience", "jwt_jwks_url")


class AccessSettings(Group):
    """Who may use the gateway, and how much of it.

    Nothing must be set here for other commands. What the gateway itself needs, `has_any` tells.
    """

    secret_fields: ClassVar[tuple[str, ...]] = ("spleeter_api_key",)

    spleeter_api_key: SecretStr | None = Field(
        default=None,
        description=f"plain keys for `X-API-KEY`, of {_KEYS.shortest} characters or more; several with commas between",
    )
    spleeter_api_key_file: Path | None = Field(
        default=None, description="a file that holds plain keys, instead; followed when it changes"
    )
    api_keys_file: Path | None = Field(
        default=None, description="the file of `spleeter-consumer keys`; followed when it changes"
    )
    jwt_issuer: str | None = Field(
        default=None, description="whose bearer tokens are taken: the tokens' `iss`, to the letter; unset: nobody's"
    )
    jwt_audience: str | None = Field(default=None, description="what must be among the tokens' `aud`")
    jwt_jwks_url: str | None = Field(
        default=None, repr=False, description="where the issuer's keys are fetched: https, or http on this machine"
    )
    jwt_tenant_claim: str = Field(default="tenant", min_length=1, description="the claim that names a token's tenant")
    rate_limit_requests_per_s: float = Field(
        default=50.0, ge=0.01, le=1_000_000, description="requests a second, of each key or token's subject"
    )
    rate_limit_burst: int = Field(
        default=100, ge=1, le=1_000_000, description="requests at once, after a time without any"
    )
    max_jobs_in_flight: int = Field(
        default=1000, ge=1, description="jobs without an outcome, of each tenant, or key where there is none"
    )
    max_streams: int = Field(
        default=400, ge=1, le=100_000, description="streams of events at once, of each key or token's subject"
    )

    @field_validator("jwt_issuer", "jwt_audience", "jwt_tenant_claim")
    @classmethod
    def _is_a_word(cls, value: str | None) -> str | None:
        if value is not None and (not value.isprintable() or value != value.strip()):
            raise ValueError("must be printable, without blanks around it")
        return value

    @field_validator("jwt_jwks_url")
    @classmethod
    def _is_trustworthy(cls, value: str | None) -> str | None:
        if value is not None:
            check_url(value)
            parts = urlsplit(value)
            if parts.username is not None or parts.password is not None or parts.fragment:
                raise ValueError("must hold no user, no password and no #")
            if parts.scheme != "https" and not _is_this_machine(parts.hostname or ""):
                raise ValueError("must begin with https://, but for an address of this machine")
        return value

    @model_validator(mode="after")
    def _goes_together(self) -> "AccessSettings":
        for name in _OF_TOKENS:
            is_set = getattr(self, name) is not None
            if self.jwt_issuer is not None and not is_set:
                raise WrongVariable(name.upper(), "must be set where JWT_ISSUER is")
            if self.jwt_issuer is None and is_set:
                raise WrongVariable("JWT_ISSUER", f"must be set where {name.upper()} is")
        return self

    @property
    def has_any(self) -> bool:
        """Whether there is any way to be known to the gateway."""
        return any((self.spleeter_api_key, self.spleeter_api_key_file, self.api_keys_file, self.jwt_issuer))

    def plain_keys(self) -> Callable[[], tuple[str, ...]] | None:
        """What gives the plain keys as they are set now; None where there are none.

        It raises SettingsError, as this does, where they can't be used; the error does not hold them.
        """
        read = self.secret("spleeter_api_key")
        if read is None:
            return None
        if self.spleeter_api_key_file:
            return lambda: _KEYS.parse("SPLEETER_API_KEY_FILE", read())
        keys = _KEYS.parse("SPLEETER_API_KEY", read())
        return lambda: keys


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
