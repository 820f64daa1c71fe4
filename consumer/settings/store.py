"""Which object storage is used, and how the one that comes with the service is reached."""

import re

from pydantic import Field, SecretStr, field_validator

from consumer.settings.variables import Group, check_endpoint, config


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


class MinioSettings(Group):
    """How MinIO, or another store that speaks S3, is reached."""

    model_config = config(env_prefix="MINIO_")

    endpoint: str = Field(description="object storage, as host:port")
    access_key: str = Field(description="its access key")
    secret_key: SecretStr = Field(description="its secret key")
    secure: bool = Field(default=True, description="TLS to object storage")

    @field_validator("endpoint")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        check_endpoint(value)
        return value
