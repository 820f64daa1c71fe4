"""Whether what a replica depends on answers, told in the words of its settings."""

import uuid

from consumer.core.errors import BucketUnusable
from consumer.core.ports import CreateOnlyProbe, ErasableStore, ObjectStore


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


def check_erasing(store: ObjectStore, erasable: ErasableStore, bucket: str, prefix: str) -> None:
    """What is stored below the prefix can be taken away for good, as for a request that is forgotten.

    Tried with an object of this check alone. Raises StoreUnavailable, or its kinds.
    """
    key = f"{prefix}.probe-{uuid.uuid4().hex}"
    store.create(bucket, key, b"probe", media_type="text/plain", metadata={})
    for upload in erasable.started_uploads(bucket, key):
        erasable.erase(upload)
    for version in erasable.versions(bucket, key):
        erasable.erase(version)
