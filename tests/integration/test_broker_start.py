"""How the brokers that tests start come up."""

import psutil

from tests.conftest import Kafka


def test_a_broker_begins_with_classes_that_were_read_before(kafka: Kafka) -> None:
    """Java has taken the archive that it was told of: one that it can't use, it passes over in silence."""
    process = psutil.Process(kafka.running.process.pid)
    option = "-XX:SharedArchiveFile="
    [archive] = [word.removeprefix(option) for word in process.cmdline() if word.startswith(option)]
    assert archive in {region.path for region in process.memory_maps()}
