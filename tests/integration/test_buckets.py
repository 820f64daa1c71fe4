"""`buckets create` on a real store: what it makes, sets, and leaves alone, as a second client sees it."""

import uuid
from collections.abc import Mapping

import pytest
from minio import Minio
from minio.commonconfig import ENABLED, Filter
from minio.lifecycleconfig import Expiration, LifecycleConfig, NoncurrentVersionExpiration, Rule

from harness.platform import Platform


class Buckets:
    """Three names that nobody has used, and the command that makes them."""

    def __init__(self, platform: Platform) -> None:
        name = uuid.uuid4().hex[:10]
        self.platform, self.client = platform, platform.minio
        self.source, self.output, self.uploads = f"{name}-src", f"{name}-out", f"{name}-up"

    def create(self, **settings: str) -> list[str]:
        """The lines that it prints."""
        done = self.platform.run("buckets", "create", **{**self.settings, **settings})
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            "ALLOWED_SOURCE_BUCKETS": f"{self.source},{self.uploads}", "OUTPUT_BUCKET": self.output,
            "UPLOAD_BUCKET": self.uploads, "RETENTION_STEMS": "90d",
        }  # fmt: skip

    def rules(self, bucket: str) -> dict[str, tuple[str, int]]:
        """What expires, by the rule's id: prefix and days."""
        found = self.client.get_bucket_lifecycle(bucket)
        return {
            str(rule.rule_id): (str(rule.rule_filter.prefix), int(rule.expiration.days))
            for rule in (found.rules if found else ())
            if rule.rule_filter and rule.expiration and rule.expiration.days
        }


@pytest.fixture
def buckets(one_partition: Platform) -> Buckets:
    return Buckets(one_partition)


def test_what_is_missing_is_made_and_rules_are_set(buckets: Buckets) -> None:
    """Stems and uploads expire; other sources never do. What the store does itself is said."""
    lines = buckets.create()
    for bucket in (buckets.source, buckets.output, buckets.uploads):
        assert buckets.client.bucket_exists(bucket)
        assert f"{bucket}: created" in lines
    assert buckets.rules(buckets.output) == {"spleeter-stems": ("stems/", 90)}
    staging = {"spleeter-staging": ("uploads/staging/", 1)}
    assert buckets.rules(buckets.uploads) == {"spleeter-uploads": ("uploads/", 30), **staging}
    assert buckets.client.get_bucket_lifecycle(buckets.source) is None
    assert f"{buckets.output}: what lies below stems/ goes after 90 days" in lines
    assert any("stale_uploads_expiry" in line for line in lines)  # MinIO has no rule for them


def test_again_changes_nothing(buckets: Buckets) -> None:
    """The same rules, said again; only that the buckets are there is another line."""
    first = buckets.create()
    before = [buckets.client.get_bucket_lifecycle(name) for name in (buckets.output, buckets.uploads)]
    again = buckets.create()
    assert [line.replace("created", "is there already") for line in first] == again
    assert [buckets.client.get_bucket_lifecycle(name) for name in (buckets.output, buckets.uploads)] == before


def test_settings_that_change_are_followed(buckets: Buckets) -> None:
    """Another span takes the place of the first, for ever takes the rule away."""
    buckets.create()
    buckets.create(RETENTION_STEMS="7d", RETENTION_UPLOADS="forever")
    assert buckets.rules(buckets.output) == {"spleeter-stems": ("stems/", 7)}
    assert buckets.rules(buckets.uploads) == {"spleeter-staging": ("uploads/staging/", 1)}
    buckets.create(RETENTION_STEMS="forever", RETENTION_UPLOADS="forever", RETENTION_ABANDONED_UPLOADS="forever")
    assert buckets.client.get_bucket_lifecycle(buckets.uploads) is None
    assert buckets.client.get_bucket_lifecycle(buckets.output) is None


def test_rules_of_others_stay(buckets: Buckets) -> None:
    """Whatever they say, before ours and after."""
    buckets.client.make_bucket(buckets.output)
    foreign = [
        Rule(ENABLED, rule_filter=Filter(prefix="logs/"), rule_id="of the platform", expiration=Expiration(days=3)),
        Rule(
            ENABLED, rule_filter=Filter(prefix="old/"), rule_id="versions",
            noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=5, newer_noncurrent_versions=2),
        ),
    ]  # fmt: skip
    buckets.client.set_bucket_lifecycle(buckets.output, LifecycleConfig(foreign))

    def theirs() -> list[Rule]:
        found = buckets.client.get_bucket_lifecycle(buckets.output)
        assert found
        return [rule for rule in found.rules if not str(rule.rule_id).startswith("spleeter-")]

    before = theirs()
    assert len(before) == 2
    assert f"{buckets.output}: is there already" in buckets.create()
    assert theirs() == before
    assert "spleeter-stems" in buckets.rules(buckets.output)
    buckets.create(RETENTION_STEMS="forever")
    assert theirs() == before


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"RETENTION_STEMS": "12h"}, "RETENTION_STEMS"),
        ({"RETENTION_UPLOADS": "soon"}, "RETENTION_UPLOADS"),
        ({"RETENTION_ABANDONED_UPLOADS": "0d"}, "RETENTION_ABANDONED_UPLOADS"),
        ({"OUTPUT_BUCKET": "No_Such"}, "No_Such"),
        ({"MINIO_SECRET_KEY": "hunter2-wrong"}, "MINIO_SECRET_KEY"),
        ({"MINIO_ENDPOINT": "127.0.0.1:1"}, "MINIO_ENDPOINT"),
        ({"OBJECT_STORE": "harness.folder_store:make"}, "OBJECT_STORE"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_named(buckets: Buckets, settings: dict[str, str], told: str) -> None:
    """In one line, which no secret is in."""
    done = buckets.platform.run("buckets", "create", **{**buckets.settings, **settings})
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert told in line
    assert "hunter2" not in line


def test_sources_never_expire_with_the_stems(buckets: Buckets) -> None:
    """Where one bucket holds both, what is below the stems' prefix alone expires."""
    one = {"OUTPUT_BUCKET": buckets.source}
    lines = buckets.create(**one)
    assert f"{buckets.source}: what lies below stems/ goes after 90 days" in lines
    assert buckets.rules(buckets.source) == {"spleeter-stems": ("stems/", 90)}


def test_a_second_operator_sees_what_was_made(buckets: Buckets) -> None:
    """By a client of its own."""
    buckets.create()
    endpoint = buckets.platform.environment["MINIO_ENDPOINT"]
    other = Minio(endpoint, "minioadmin", "minioadmin", secure=False)
    assert {buckets.source, buckets.output, buckets.uploads} <= {each.name for each in other.list_buckets()}
