from types import SimpleNamespace
from typing import Any

import pytest
from minio.error import S3Error

from consumer.adapters.s3.minio import MinioStore
from consumer.app.checks import check_bucket
from consumer.core.errors import Code, Rejected, StoreMisconfigured, StoreUnavailable


def a_store(status: int, code: str) -> MinioStore:
    """One that has this answer to everything."""
    response: Any = SimpleNamespace(status=status)

    def answer(*_: object, **__: object) -> None:
        raise S3Error(response, code, "no reason", "/songs/a", "1", "1", bucket_name="songs")

    store = MinioStore("127.0.0.1:1", "key", "hunter2hunter2", secure=False)
    store._client.get_object = store._prober.bucket_exists = answer  # type: ignore[method-assign, assignment]
    return store


@pytest.mark.parametrize("code", ["AccessDenied", "AllAccessDisabled", "AccountProblem"])
def test_rights_that_were_taken_away_are_no_messages_fault(code: str) -> None:
    """Credentials without a right to a bucket that settings allow are ours to mend: named, and nothing is rejected."""
    store = a_store(403, code)
    with pytest.raises(StoreMisconfigured) as caught:
        store.read("songs", "a")
    told = f"MINIO_ACCESS_KEY, MINIO_SECRET_KEY: object storage answered {code} for songs"
    assert str(caught.value) == told


@pytest.mark.parametrize("setting", ["OUTPUT_BUCKET", "ALLOWED_SOURCE_BUCKETS"])
def test_a_bucket_that_is_refused_is_named_with_its_settings(setting: str) -> None:
    """At the start that is one line which names all that may be wrong."""
    told = f"^MINIO_ACCESS_KEY, MINIO_SECRET_KEY, {setting}: object storage refuses access to songs$"
    with pytest.raises(StoreMisconfigured, match=told):
        check_bucket(a_store(403, "AccessDenied"), "songs", setting=setting)


@pytest.mark.parametrize(
    ("status", "code"),
    [(507, "XMinioStorageFull"), (400, "XMinioStorageFull"), (503, "SlowDownWrite"), (500, "NoSuchThing")],
)
def test_a_store_that_can_not_now_is_unavailable(status: int, code: str) -> None:
    """A full disk or a lost quorum may pass."""
    with pytest.raises(StoreUnavailable, match=code):
        a_store(status, code).read("songs", "a")


def test_any_other_answer_is_final() -> None:
    """What the store understood and does not do is told with its word for it."""
    with pytest.raises(Rejected, match="MethodNotAllowed") as caught:
        a_store(405, "MethodNotAllowed").read("songs", "a")
    assert caught.value.code == Code.BUCKET_NOT_ALLOWED
