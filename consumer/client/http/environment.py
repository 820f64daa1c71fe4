"""Where the gateway is, and who asks, from the environment."""

from consumer.client.http.credentials import Credentials, api_key
from consumer.core.errors import SettingsError


def gateway_from_env() -> tuple[str, Credentials]:
    """SPLEETER_API_URL and SPLEETER_API_KEY, or SPLEETER_API_KEY_FILE, which is followed. Raises SettingsError."""
    from consumer.settings import AccessSettings, HttpClientSettings

    url, keys = HttpClientSettings.load().spleeter_api_url, AccessSettings.load().plain_keys()
    if url is None:
        raise SettingsError("SPLEETER_API_URL must be set", variables=("SPLEETER_API_URL",))
    if keys is None:
        raise SettingsError("SPLEETER_API_KEY must be set", variables=("SPLEETER_API_KEY",))
    return url, api_key(lambda: keys()[0])
