"""Topics of outcomes that an operator deletes and makes anew while a group works: what comes after that lies there."""

from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from consumer.core.events import SeparationResult
from harness.clips import write_clip
from harness.platform import Platform
from harness.waiting import wait_for


@pytest.mark.parametrize("partitions", [1, 9])
def test_outcomes_are_published_to_topics_of_another_number_of_partitions(
    platform: Platform, tmp_path: Path, partitions: int
) -> None:
    """Also with fewer than the producer knows, which then has nowhere to send to and is not told so."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    replica = platform.start_replica()
    before = [platform.request(key) for _ in range(6)]
    assert len(platform.outcomes(6)) == len(before)
    for kind in ("RESULTS", "DEAD_LETTER", "AUDIT", "PROGRESS"):
        make_anew(platform, platform.topic(kind), partitions)
    after = [platform.request(key) for _ in range(6)]
    outcomes = platform.outcomes(6)
    assert all(isinstance(outcome, SeparationResult) for outcome in outcomes)
    assert Counter(each.request_id for each in outcomes) == Counter(request.request_id for request in after)
    replica.wait_ready()


def make_anew(platform: Platform, topic: str, partitions: int) -> None:
    """As soon as the broker takes the name again."""
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    admin.delete_topics([topic])[topic].result(30)

    def is_created() -> bool:
        try:
            admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)
        except KafkaException:
            return False
        return True

    wait_for(is_created)
