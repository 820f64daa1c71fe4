"""Which right a request needs, as AWS lists it for each of S3's operations (Service Authorization Reference)."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from minio.commonconfig import Tags
from minio.credentials.providers import StaticProvider

from consumer.adapters.s3.answers import Refused, error_of
from consumer.adapters.s3.client import RegionalMinio, Regions
from consumer.adapters.s3.connection import StorePool


class Refusing(StorePool):
    """Of a store where nobody may do anything."""

    def urlopen(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        raise Refused(403, "AccessDenied", method=method)


Ask = Callable[[RegionalMinio], object]
NEEDED: list[tuple[str, Ask]] = [
    ("GetObject", lambda store: store.get_object("music", "k")),
    ("GetObject", lambda store: store.stat_object("music", "k")),
    ("GetObjectVersion", lambda store: store.get_object("music", "k", version_id="v")),
    ("GetObjectTagging", lambda store: store.get_object_tags("music", "k")),
    ("GetObjectVersionTagging", lambda store: store.get_object_tags("music", "k", version_id="v")),
    ("PutObjectTagging", lambda store: store.set_object_tags("music", "k", Tags())),
    ("PutObjectVersionTagging", lambda store: store.set_object_tags("music", "k", Tags(), version_id="v")),
    ("PutObject", lambda store: store.put_object("music", "k", io.BytesIO(b"x"), 1)),
    ("PutObject", lambda store: store.begin_upload("music", "k")),
    ("PutObject", lambda store: store.put_part("music", "k", "u", 1, b"x")),
    ("PutObject", lambda store: store.complete_upload("music", "k", "u", [])),
    ("ListMultipartUploadParts", lambda store: store.list_parts("music", "k", "u", None)),
    ("AbortMultipartUpload", lambda store: store.abort_upload("music", "k", "u")),
    ("DeleteObject", lambda store: store.remove_object("music", "k")),
    ("DeleteObjectVersion", lambda store: store.remove_object("music", "k", version_id="v")),
    ("ListBucket", lambda store: next(store.list_objects("music"))),
    ("ListBucket", lambda store: store.bucket_exists("music")),
    ("ListBucketVersions", lambda store: next(store.list_objects("music", include_version=True))),
    ("ListBucketMultipartUploads", lambda store: store.list_uploads("music", "k", (None, None))),
    ("CreateBucket", lambda store: store.make_bucket("music")),
    ("GetLifecycleConfiguration", lambda store: store.get_bucket_lifecycle("music")),
    ("PutLifecycleConfiguration", lambda store: store.delete_bucket_lifecycle("music")),
]


def refused_at(ask: Ask) -> str:
    """What is told of a request that is refused there."""
    store = RegionalMinio(
        "127.0.0.1:1", StaticProvider("key", "hunter2hunter2"), Regions("us-east-1"), secure=False, pool=Refusing()
    )
    with pytest.raises(Refused) as caught:
        ask(store)
    return str(error_of(caught.value, "music"))


@pytest.mark.parametrize(("action", "ask"), NEEDED, ids=[f"{n}-{action}" for n, (action, _) in enumerate(NEEDED)])
def test_the_action_that_is_missing_is_named(action: str, ask: Ask) -> None:
    """As policies write it; of an object that may not be there with the right that would tell so."""
    reads = action in ("GetObject", "GetObjectVersion")
    more = " (or s3:ListBucket, if there is no such object)" if reads else ""
    told = "MINIO_ACCESS_KEY, MINIO_SECRET_KEY: object storage answered AccessDenied for music"
    assert refused_at(ask) == f"{told}: this key has no right to s3:{action}{more} there"


def test_a_copy_may_lack_either_right() -> None:
    """The answer does not say whether it is that to what is copied."""
    headers: dict[str, str | list[str] | tuple[str]] = {"x-amz-copy-source": "/music/k"}
    told = refused_at(lambda store: store._upload_part_copy("music", "k2", "u", 1, headers))
    assert "s3:PutObject (or s3:GetObject on what is copied)" in told
