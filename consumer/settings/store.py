"""Which object storage is used, and how the one that comes with the service is reached."""

import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, SecretStr, field_validator, model_validator

from consumer.settings.variables import Group, WrongVariable, check_endpoint, config

_SECRETS = ("access_key", "secret_key", "session_token")
_OF_LINKS = ("links_access_key", "links_secret_key")


class ObjectStoreSettings(Group):
    """Which backend is used. Each has settings of its own, which are asked for only where it is used."""

    object_store: str = Field(
        default="consumer.adapters.s3.minio:make_minio_store",
        description="what makes the object store, as `package.module:factory`; the default one reads `MINIO_*`",
    )

    @field_validator("object_store")
    @classmethod
    def _names_a_factory(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", value):
            raise ValueError("must be package.module:factory")
        return value


class CredentialSource(Enum):
    """Where credentials may come from if no keys are set, in the order in which they are looked for."""

    AWS_VARIABLES = auto()
    """`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`"""
    AWS_FILE = auto()
    """`~/.aws/credentials`, or `AWS_SHARED_CREDENTIALS_FILE`; the profile `AWS_PROFILE` in it"""
    MINIO_CLIENT = auto()
    """`~/.mc/config.json`; the alias `MINIO_ALIAS` in it, which is s3 if that is not set"""
    ROLE = auto()
    """A role: of a web identity (`AWS_WEB_IDENTITY_TOKEN_FILE`), of a container (`AWS_CONTAINER_CREDENTIALS_*`), or of
    a machine of EC2, which is asked only with `AWS_EC2_METADATA_DISABLED=false`"""


def credential_sources() -> tuple[CredentialSource, ...]:
    """Those that this process's environment has. Nobody on the network is asked."""
    there = os.environ.get
    home = Path(there("HOME") or "/nonexistent")
    found = {
        CredentialSource.AWS_VARIABLES: there("AWS_ACCESS_KEY_ID"),
        CredentialSource.AWS_FILE: Path(there("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws/credentials").is_file(),
        CredentialSource.MINIO_CLIENT: (home / ".mc/config.json").is_file(),
        CredentialSource.ROLE: there("AWS_WEB_IDENTITY_TOKEN_FILE")
        or there("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        or there("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        or there("AWS_EC2_METADATA_DISABLED", "").lower() == "false",
    }
    return tuple(source for source, is_there in found.items() if is_there)


class MinioSettings(Group):
    """How MinIO, or another store that speaks S3, is reached.

    Keys and token are texts, or files that hold them, and are asked for by `keys`; none is set where they come from a
    CredentialSource.
    """

    model_config = config(env_prefix="MINIO_")
    secret_fields: ClassVar[tuple[str, ...]] = (*_SECRETS, *_OF_LINKS)

    endpoint: str = Field(description="object storage, as host:port")
    access_key: str = Field(description="its access key; where neither key is set: AWS's usual ways, if there are any")
    secret_key: SecretStr = Field(description="its secret key")
    session_token: SecretStr | None = Field(default=None, description="what temporary keys come with")
    access_key_file: Path | None = Field(default=None, description="a file that holds the access key, instead")
    secret_key_file: Path | None = Field(default=None, description="a file that holds the secret key, instead")
    session_token_file: Path | None = Field(default=None, description="a file that holds the session token, instead")
    links_access_key: str | None = Field(
        default=None,
        description="an access key of its own for the links to stems that the gateway signs, which need to read below "
        "`OUTPUT_PREFIX` and no more; unset: they are signed by the key above",
    )
    links_secret_key: SecretStr | None = Field(default=None, description="its secret key")
    links_access_key_file: Path | None = Field(default=None, description="a file that holds that access key, instead")
    links_secret_key_file: Path | None = Field(default=None, description="a file that holds that secret key, instead")
    secure: bool = Field(default=True, description="TLS to object storage")
    ca_file: Path | None = Field(
        default=None, description="certificates of the authorities that TLS trusts, as PEM; unset: the system's"
    )
    region: str | None = Field(default=None, description="its region; unset: as the store says")
    public_endpoint: str | None = Field(
        default=None,
        description="where clients reach object storage, for the links that the gateway signs: host:port, or with a "
        "scheme if `MINIO_SECURE` is not true of it; unset: they don't, and files go through the gateway",
    )

    @model_validator(mode="before")
    @classmethod
    def _set_or_elsewhere(cls, values: Any) -> Any:
        """What is set in a file, or comes from elsewhere, need not be set as a text: "" stands for it."""
        given = dict(values)
        missing = [name for name in _OF_LINKS if not {name, f"{name}_file"} & given.keys()]
        if len(missing) == 1:
            other = next(name for name in _OF_LINKS if name not in missing)
            raise WrongVariable(f"MINIO_{missing[0]}".upper(), f"must be set where MINIO_{other.upper()} is")
        keys = {name for name in ("access_key", "secret_key") if {name, f"{name}_file"} & given.keys()}
        has_token = bool({"session_token", "session_token_file"} & given.keys())
        if not keys and not has_token and credential_sources():
            keys = {"access_key", "secret_key"}
        return {**dict.fromkeys(keys, ""), **given}

    @field_validator("endpoint")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        check_endpoint(value)
        return value

    @field_validator("public_endpoint")
    @classmethod
    def _names_a_host(cls, value: str | None) -> str | None:
        if value:
            host = re.sub(r"\Ahttps?://", "", value)
            try:
                check_endpoint(host)
            except ValueError:
                raise ValueError("must be host:port, or http:// or https:// and that, without a path") from None
        return value

    @field_validator("region")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"[A-Za-z\d]([A-Za-z\d_-]{0,61}[A-Za-z\d])?", value):
            raise ValueError("must be letters, digits and hyphens, as in eu-central-1")
        return value

    @field_validator("ca_file")
    @classmethod
    def _holds_certificates(cls, value: Path | None) -> Path | None:
        if value:
            try:
                ssl.create_default_context(cafile=value)
            except OSError as error:  # ssl's own errors are some of them
                raise ValueError(f"can't be read as certificates ({error.strerror or error})") from None
        return value

    @property
    def public_url(self) -> str | None:
        """Where clients reach it, as scheme://host:port; None: not at all."""
        if not self.public_endpoint or "://" in self.public_endpoint:
            return self.public_endpoint
        return f"{'https' if self.secure else 'http'}://{self.public_endpoint}"

    def keys(self) -> "StoreKeys | None":
        """The keys as they are set; None where they come from a CredentialSource. Raises SettingsError."""
        read = {name: self.secret(name) for name in _SECRETS}
        if not read["access_key"] and not read["secret_key"] and not self.session_token_file:
            return None
        return StoreKeys(**{name: each or _nothing for name, each in read.items()})

    def links_keys(self) -> "StoreKeys | None":
        """Those that links are signed by; None where they are those of all else. Raises SettingsError."""
        access_key, secret_key = (self.secret(name) for name in _OF_LINKS)
        if access_key is None or secret_key is None:
            return None
        return StoreKeys(access_key=access_key, secret_key=secret_key, session_token=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKeys:
    """Each gives what is to be used now; the session token may be "", and then there is none."""

    access_key: Callable[[], str]
    secret_key: Callable[[], str]
    session_token: Callable[[], str]


def _nothing() -> str:
    return ""
