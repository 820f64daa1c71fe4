import pytest

from consumer.adapters.s3.answers import Refused, error_of
from consumer.adapters.s3.minio import MinioStore
from consumer.app.checks import check_bucket
from consumer.core.errors import StoreBusy, StoreMisconfigured, StoreUnavailable


def a_store(status: int, code: str) -> MinioStore:
    """One that has this answer to everything."""

    def answer(*_: object, **__: object) -> None:
        raise Refused(status, code)

    store = MinioStore("127.0.0.1:1", "key", "hunter2hunter2", secure=False)
    store._client.get_object = store._prober.bucket_exists = store._prober.list_objects = answer  # type: ignore[method-assign, assignment]
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


@pytest.mark.parametrize("code", ["MethodNotAllowed", "XMinioAdminBucketQuotaExceeded", "NeverHeardOf", ""])
def test_any_other_answer_is_no_messages_fault(code: str) -> None:
    """What is not known to be the message's fault is told with the store's word for it, and tried again."""
    with pytest.raises(StoreUnavailable, match=code or "HTTP status 405"):
        a_store(405, code).read("songs", "a")


@pytest.mark.parametrize(
    ("headers", "asked_s"),
    [({"Retry-After": "7"}, 7.0), ({"retry-after": "9999999"}, 60.0), ({}, None), ({"Retry-After": "soon"}, None)],
)
def test_a_busy_store_says_when_to_come_back(headers: dict[str, str], asked_s: float | None) -> None:
    """Retry-After is handed on, within a minute; a store that has too many requests need not send it."""
    error = error_of(Refused(429, "TooManyRequests", headers=headers), "songs")
    assert isinstance(error, StoreBusy)
    assert error.retry_after_s == asked_s
