"""`spleeter-consumer api` on the embedded broker, which lacks two things that real ones have.

Its transaction markers bear no checksum: a reader that checked any would stand still behind the first outcome of each
partition. And who asks for the ids of its topics gets no answer: a start would wait for that, three times five seconds.
"""

from typing import Any

from consumer.adapters.kafka import config
from consumer.adapters.kafka.topic_ids import TopicIds
from consumer.cli import main
from consumer.core.errors import BrokerUnavailable


def without_checksums() -> None:
    """Have this process's readers of Kafka check no checksums."""
    checked = config.reader_config

    def reader_config(*arguments: Any, **options: Any) -> dict[str, Any]:
        return checked(*arguments, **options) | {"check.crcs": False}

    config.reader_config = reader_config


def without_topic_ids() -> None:
    """Have this process ask for none."""

    def now(_: TopicIds, topic: str) -> str:
        raise BrokerUnavailable(f"topic {topic} has no id")

    TopicIds.now = now  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    without_checksums()
    without_topic_ids()
    main()
