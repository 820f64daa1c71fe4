"""Whether what a replica depends on answers, told in the words of its settings."""

from consumer.core.errors import BucketUnusable
from consumer.core.ports import CreateOnlyProbe, ObjectStore


def check_bucket(store: ObjectStore, bucket: str, *, setting: str) -> None:
    """The bucket is there and ours to use; else an error that names the setting too. Raises StoreUnavailable."""
    try:
        store.check(bucket)
    except BucketUnusable as error:
        raise error.named_by(setting) from error


def check_create_only(store: ObjectStore, bucket: str, prefix: str) -> None:
    """What is stored below the prefix is never replaced. Raises StoreMisconfigured, StoreUnavailable.

    A store that has no probe keeps that by itself.
    """
    if isinstance(store, CreateOnlyProbe):
        store.probe_create_only(bucket, prefix)
