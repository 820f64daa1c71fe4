"""`topics create` on a real broker."""

from dataclasses import replace

from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

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


def retention(platform: Platform) -> dict[str, str]:
    """Of each topic of the platform, by its kind, as the broker has it."""
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    kinds = ("REQUESTS", "RESULTS", "DEAD_LETTER", "PROGRESS", "CONTROL", "AUDIT")
    names = {kind: platform.topic(kind) for kind in kinds} | {"RETRY": f"{platform.topic('REQUESTS')}.retry-1"}
    resources = {kind: ConfigResource(ResourceType.TOPIC, name) for kind, name in names.items()}
    asked = admin.describe_configs(list(resources.values()))
    return {kind: asked[resource].result(30)["retention.ms"].value for kind, resource in resources.items()}


DAY_MS = 24 * 60 * 60 * 1000


def test_topics_keep_their_records_for_as_long_as_the_settings_say(one_partition: Platform) -> None:
    """By default, and by settings; `forever` is Kafka's -1."""
    assert retention(one_partition) == {
        "REQUESTS": str(7 * DAY_MS), "RETRY": str(7 * DAY_MS), "RESULTS": str(30 * DAY_MS),
        "DEAD_LETTER": str(30 * DAY_MS), "PROGRESS": str(DAY_MS), "CONTROL": str(7 * DAY_MS),
        "AUDIT": str(400 * DAY_MS),
    }  # fmt: skip
    topics = {name: f"{value}.kept" for name, value in one_partition.environment.items() if name.startswith("TOPIC_")}
    spans = {"RETENTION_RESULTS": "forever", "RETENTION_AUDIT": "1000d", "RETENTION_PROGRESS": "90s"}
    made = one_partition.run("topics", "create", "--partitions", "1", **topics, **spans)
    assert made.returncode == 0, made.stderr
    assert "retention" not in made.stdout
    found = retention(replace(one_partition, environment={**one_partition.environment, **topics}))
    assert (found["RESULTS"], found["AUDIT"], found["PROGRESS"]) == ("-1", str(1000 * DAY_MS), "90000")


def test_topics_that_keep_their_records_for_another_time_are_told_of(one_partition: Platform) -> None:
    """Nothing is changed: shorter would delete records at once. `doctor` tells the same, and finds no fault in it."""
    before = retention(one_partition)
    spans = {"RETENTION_AUDIT": "forever", "RETENTION_CONTROL": "2d"}
    again = one_partition.run("topics", "create", "--partitions", "1", **spans)
    assert again.returncode == 0, again.stderr
    lines = [
        f"{one_partition.topic('CONTROL')}: retention.ms is {7 * DAY_MS}, not {2 * DAY_MS} (2d)",
        f"{one_partition.topic('AUDIT')}: retention.ms is {400 * DAY_MS}, not -1 (forever)",
    ]
    assert [line for line in again.stdout.splitlines() if "retention.ms" in line] == lines
    assert retention(one_partition) == before
    [kafka] = [line for line in one_partition.run("doctor", **spans).stdout.splitlines() if line.startswith("kafka: ")]
    assert kafka.startswith("kafka: OK (")
    assert all(line in kafka for line in lines)


def test_outcomes_are_not_kept_for_less_than_requests(one_partition: Platform) -> None:
    """They tell what is done; that is refused, by the variable's name, before anything is made."""
    refused = one_partition.run("topics", "create", RETENTION_REQUESTS="40d")
    assert refused.returncode == 1
    assert "RETENTION_RESULTS: must be at least as long as RETENTION_REQUESTS" in refused.stderr
