"""Whether what a replica depends on answers, told in the words of its settings."""

from consumer.core.errors import BucketUnusable
from consumer.core.ports import ObjectStore


def check_bucket(store: ObjectStore, bucket: str, *, setting: str) -> None:
    """The bucket is there and ours to use; else an error that names the setting too. Raises StoreUnavailable."""
    try:
        store.check(bucket)
    except BucketUnusable as error:
        raise error.named_by(setting) from error
