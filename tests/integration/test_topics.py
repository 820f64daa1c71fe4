"""`topics create` on a real broker."""

from confluent_kafka.admin import AdminClient

from harness.platform import Platform


def test_topics_that_are_there_are_left_as_they_are_and_told_of(one_partition: Platform) -> None:
    """A second run changes nothing, and says of each topic with another number of partitions which it has."""
    platform = one_partition
    again = platform.run("topics", "create", "--partitions", "3")
    assert again.returncode == 0, again.stderr
    assert f"{platform.topic('REQUESTS')}: is there already (partitions: 1; asked for: 3)" in again.stdout.splitlines()
    assert f"{platform.topic('CONTROL')}: is there already" in again.stdout.splitlines()
    found = AdminClient({"bootstrap.servers": platform.bootstrap_servers}).list_topics(timeout=10).topics
    assert len(found[platform.topic("REQUESTS")].partitions) == 1
