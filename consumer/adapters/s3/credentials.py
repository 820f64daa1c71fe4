"""What requests to the store are signed with: keys that are set, or what minio-py finds in AWS's usual ways."""

from collections.abc import Callable, Sequence

import urllib3
from minio.credentials.credentials import Credentials
from minio.credentials.providers import (
    AWSConfigProvider,
    EnvAWSProvider,
    IamAwsProvider,
    MinioClientConfigProvider,
    Provider,
)

from consumer.core.errors import StoreUnavailable
from consumer.settings import CredentialSource, StoreKeys

_TIMEOUT_S = 3.0  # for whoever gives a role's keys

_PROVIDERS: dict[CredentialSource, Callable[[], Provider]] = {
    CredentialSource.AWS_VARIABLES: EnvAWSProvider,
    CredentialSource.AWS_FILE: AWSConfigProvider,
    CredentialSource.MINIO_CLIENT: MinioClientConfigProvider,
    CredentialSource.ROLE: lambda: IamAwsProvider(
        http_client=urllib3.PoolManager(timeout=urllib3.Timeout(_TIMEOUT_S), retries=False)
    ),
}


class CredentialsUnavailable(StoreUnavailable):
    """Nobody of those that could have them gave any credentials."""


class SetKeys(Provider):
    """Keys of the settings, as they are at each request."""

    def __init__(self, keys: StoreKeys) -> None:
        self._keys = keys

    def retrieve(self) -> Credentials:
        keys = self._keys
        return Credentials(keys.access_key(), keys.secret_key(), keys.session_token() or None)


class FoundKeys(Provider):
    """Keys of the first source that has some, which is asked first from then on."""

    def __init__(self, sources: Sequence[CredentialSource]) -> None:
        self._sources = sources
        self._providers = [_PROVIDERS[source]() for source in sources]

    def retrieve(self) -> Credentials:
        """Raises CredentialsUnavailable; who has them may answer later."""
        reasons = []
        for source, provider in zip(self._sources, self._providers, strict=True):
            try:
                return provider.retrieve()
            except Exception as error:  # noqa: BLE001 - of files, of JSON, of HTTP; texts may hold what is secret
                reasons.append(f"{source.name} ({type(error).__name__})")
        raise CredentialsUnavailable(
            f"MINIO_ACCESS_KEY, MINIO_SECRET_KEY: not set, and no credentials come from {', '.join(reasons)}"
        )


def fixed_keys(access_key: str, secret_key: str) -> SetKeys:
    """Keys that never change."""
    return SetKeys(StoreKeys(access_key=lambda: access_key, secret_key=lambda: secret_key, session_token=lambda: ""))
