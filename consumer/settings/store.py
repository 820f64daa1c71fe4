"""How object storage is reached."""

from pydantic import Field, SecretStr, field_validator

from consumer.settings.variables import Group, check_endpoint, config


class StoreSettings(Group):
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
