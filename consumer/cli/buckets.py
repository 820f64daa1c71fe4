"""`buckets create`."""

from typing import TYPE_CHECKING

import typer

from consumer.core.errors import SettingsError

if TYPE_CHECKING:
    from consumer.adapters.s3.buckets import LifecycleRule
    from consumer.settings import JobSettings, RetentionSettings

app = typer.Typer(no_args_is_help=True, help="The service's buckets.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def create() -> None:
    """Create what is missing of the buckets, and set for how long they keep what; one line a bucket and a rule.

    Rules that are not ours stay as they are. Needs rights that a replica has not.
    """
    from consumer.adapters.s3.buckets import make_bucket_setup
    from consumer.settings import ClientSettings, JobSettings, ObjectStoreSettings, RetentionSettings

    default = ObjectStoreSettings.model_fields["object_store"].default
    if ObjectStoreSettings.load().object_store != default:
        raise SettingsError("OBJECT_STORE: another store than MINIO_* has ways of its own", variables=("OBJECT_STORE",))
    job, retention = JobSettings.load(), RetentionSettings.load()
    upload_bucket = ClientSettings.load().upload_bucket or job.allowed_source_buckets[0]
    rules = _rules(job, upload_bucket, retention)
    setup = make_bucket_setup()
    for bucket in dict.fromkeys([*job.allowed_source_buckets, job.output_bucket, upload_bucket]):
        typer.echo(f"{bucket}: {'created' if setup.create(bucket) else 'is there already'}")
        if bucket not in rules:
            continue
        kept = setup.set_rules(bucket, rules[bucket])
        for rule in rules[bucket]:
            typer.echo(f"{bucket}: {_told(rule, is_kept=rule in kept)}")


def _rules(job: "JobSettings", upload_bucket: str, retention: "RetentionSettings") -> "dict[str, list[LifecycleRule]]":
    """By bucket; a bucket that we write to is in it, though nothing of it may expire."""
    from consumer.adapters.s3.buckets import LifecycleRule
    from consumer.core.upload_place import STAGING, UPLOADS
    from consumer.settings import retention_days

    rules: dict[str, list[LifecycleRule]] = {job.output_bucket: [], upload_bucket: []}
    if (days := retention_days(retention.stems)) is not None:
        rules[job.output_bucket].append(LifecycleRule(name="stems", prefix=job.output_prefix, days=days))
    if (days := retention_days(retention.uploads)) is not None:
        rules[upload_bucket].append(LifecycleRule(name="uploads", prefix=UPLOADS, days=days))
    if (days := retention_days(retention.abandoned_uploads)) is not None:
        places = (
            (job.output_bucket, "abandoned-stems", job.output_prefix),
            (upload_bucket, "abandoned-uploads", UPLOADS),
        )
        for bucket, name, prefix in places:
            rules[bucket].append(LifecycleRule(name=name, prefix=prefix, days=days, is_abandoned=True))
        # Whole files that a gateway was about to give their names when it died.
        rules[upload_bucket].append(LifecycleRule(name="staging", prefix=STAGING, days=days))
    return rules


def _told(rule: "LifecycleRule", *, is_kept: bool) -> str:
    what = "abandoned uploads to" if rule.is_abandoned else "what lies below"
    if is_kept:
        return f"{what} {rule.prefix} goes after {rule.days} days"
    return (
        f"{what} {rule.prefix}: this store takes no such rule; MinIO removes abandoned uploads by itself,"
        " a day after their last part (its setting api stale_uploads_expiry)"
    )
