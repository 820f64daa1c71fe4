"""For how long what is kept: spans as text, as Kafka and object stores take them."""

import pytest

from consumer.core.errors import SettingsError
from consumer.settings import RetentionSettings, TopicSettings, retention_days, retention_ms


@pytest.mark.parametrize(
    ("text", "ms", "days"),
    [("forever", -1, None), ("30d", 2_592_000_000, 30), ("24h", 86_400_000, 1), ("400d", 34_560_000_000, 400)],
)
def test_spans_are_kafkas_and_the_stores(text: str, ms: int, days: int | None) -> None:
    """Milliseconds with -1 for ever, and whole days."""
    assert retention_ms(text) == ms
    assert retention_days(text) == days


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RETENTION_AUDIT", "soon"), ("RETENTION_AUDIT", "0s"), ("RETENTION_AUDIT", "-1"),
        ("RETENTION_AUDIT", "1000000d"), ("RETENTION_STEMS", "36h"), ("RETENTION_UPLOADS", "12h"),
        ("RETENTION_ABANDONED_UPLOADS", "0d"), ("RETENTION_RESULTS", "6d"), ("RETENTION_DEAD_LETTER", "1d"),
    ],
)  # fmt: skip
def test_what_is_no_span_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And outcomes that would go before their requests."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: "):
        RetentionSettings.load()


def test_every_topic_has_its_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry topics as requests; requests for ever need outcomes for ever."""
    spans = RetentionSettings.load().of_topics(TopicSettings(), ["r-1", "r-2"])
    topics = TopicSettings()
    assert spans == {
        topics.requests: "7d", "r-1": "7d", "r-2": "7d", topics.results: "30d", topics.dead_letter: "30d",
        topics.progress: "1d", topics.control: "7d", topics.audit: "400d",
    }  # fmt: skip
    monkeypatch.setenv("RETENTION_REQUESTS", "forever")
    with pytest.raises(SettingsError, match="RETENTION_RESULTS"):
        RetentionSettings.load()
    monkeypatch.setenv("RETENTION_RESULTS", "forever")
    monkeypatch.setenv("RETENTION_DEAD_LETTER", "forever")
    assert RetentionSettings.load().of_topics(topics, [])[topics.requests] == "forever"
