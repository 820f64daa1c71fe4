"""`spleeter-consumer api` on the embedded broker, whose transaction markers bear no checksum.

So no reader checks any here: it would stand still behind the first outcome of each partition. Real brokers write them.
"""

from typing import Any

from consumer.adapters.kafka import config
from consumer.cli import main


def without_checksums() -> None:
    """Have this process's readers of Kafka check no checksums."""
    checked = config.reader_config

    def reader_config(*arguments: Any, **options: Any) -> dict[str, Any]:
        return checked(*arguments, **options) | {"check.crcs": False}

    config.reader_config = reader_config


if __name__ == "__main__":
    without_checksums()
    main()
