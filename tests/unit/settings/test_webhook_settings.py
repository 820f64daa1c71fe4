"""Settings of webhooks: networks and times, each wrong one told of in a line."""

from ipaddress import ip_network

import pytest

from consumer.core.errors import SettingsError
from consumer.settings import WebhookSettings


@pytest.mark.parametrize(
    ("name", "value", "also"),
    [
        ("WEBHOOKS_ALLOWED_NETWORKS", "10.0.0.1/8", {}),
        ("WEBHOOKS_ALLOWED_NETWORKS", "10.0.0.0/8,inner.example", {}),
        ("WEBHOOKS_ALLOW_HTTP", "perhaps", {}),
        ("WEBHOOKS_TIMEOUT_S", "0", {}),
        ("WEBHOOKS_TIMEOUT_S", "1h", {}),
        ("WEBHOOKS_CONNECT_TIMEOUT_S", "soon", {}),
        ("WEBHOOKS_FIRST_WAIT_S", "0", {}),
        ("WEBHOOKS_GIVE_UP_AFTER_S", "-1", {}),
        ("WEBHOOKS_LONGEST_WAIT_S", "5s", {"WEBHOOKS_FIRST_WAIT_S": "6s"}),
    ],
)
def test_a_wrong_value_is_told_of_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, also: dict[str, str]
) -> None:
    """Which begins with the variable's name."""
    for variable, text in {**also, name: value}.items():
        monkeypatch.setenv(variable, text)
    with pytest.raises(SettingsError) as caught:
        WebhookSettings.load()
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


def test_values_are_read_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks with commas between, times with their units; without any, all is as the page says."""
    plain = WebhookSettings.load()
    assert (plain.webhooks_file, plain.webhooks_allow_http, plain.webhooks_allowed_networks) == (None, False, ())
    monkeypatch.setenv("WEBHOOKS_ALLOWED_NETWORKS", " 10.1.0.0/16, fd00::/8,192.0.2.7 ")
    monkeypatch.setenv("WEBHOOKS_GIVE_UP_AFTER_S", "5d")
    read = WebhookSettings.load()
    assert read.webhooks_allowed_networks == tuple(map(ip_network, ("10.1.0.0/16", "fd00::/8", "192.0.2.7/32")))
    assert read.webhooks_give_up_after_s == 5 * 86_400
