"""Whose fault each answer of a store is, at each request of a job: every code and every status, before a real store.

What is expected is written down here by hand and short: what is not in `MESSAGES` or `NOT_THERE` is the world's.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from minio import Minio
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from consumer.adapters.s3.minio import MinioStore
from consumer.core.cancellation import Cancellation
from consumer.core.errors import Code, Rejected, ScratchUnavailable, StoreBusy, StoreMisconfigured, StoreUnavailable
from consumer.core.model import ObjectFacts
from harness.store_faults import Fault, Request, StoreFaults, s3_error
from tests.contract.conftest import BUCKET, COPIED_PART_BYTES, close
from tests.contract.s3_errors import ERRORS

# The message's own words are a key, a prefix and a version id; and the object that it names may lie in an archive.
MESSAGES = {
    "InvalidObjectState", "KeyTooLongError", "XMinioInvalidObjectName", "XMinioInvalidResourceName",
    "XMinioObjectExistsAsDirectory", "XMinioParentIsObject",
}  # fmt: skip
NOT_THERE = {"NoSuchBucket", "NoSuchKey", "NoSuchVersion"}
CREDENTIALS = {
    "AccessDenied", "AccountProblem", "AllAccessDisabled", "AuthorizationHeaderMalformed", "ExpiredToken",
    "InvalidAccessKeyId", "InvalidToken", "InvalidTokenId", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
}  # fmt: skip
STATUSES = range(400, 600)
ONE_OF_EACH = ("KeyTooLongError", "NoSuchKey", "PreconditionFailed", "AccessDenied", "TooManyRequests", "InternalError")
BODIES = (b"", b"<html>no</html>", b"\xff\xfe", b"<?xml version='1.0'?><Error>")

INVALID, MISSING, WORLD = Code.REQUEST_INVALID, "not there", "the world's"
Outcome = str


@dataclass(frozen=True, slots=True)
class Job:
    """What a job asks a store for."""

    store: MinioStore
    facts: ObjectFacts
    large: Path
    scratch: Path

    def put(self, content: Path | bytes, *, create: bool) -> object:
        method = self.store.create if create else self.store.replace
        return method(BUCKET, "faults/new", content, media_type="audio/wav", metadata={"a": "b"})

    def copy(self) -> object:
        return self.store.copy(self.facts, BUCKET, "faults/copy", media_type="audio/wav", metadata={})


@dataclass(frozen=True, slots=True)
class Step:
    """A request of a job: which it is, what makes it, and what the answers that are not the world's come to there.

    costly: it takes many requests, or 16 MiB; there one answer of each kind is enough, for all are read in one place.
    """

    fits: Callable[[Request], bool]
    run: Callable[[Job], object]
    missing: Outcome = WORLD
    unmet: Outcome = WORLD
    costly: bool = False


def is_(method: str, *words: str, without: str = "") -> Callable[[Request], bool]:
    def fits(request: Request) -> bool:
        return request.method == method and set(words) <= request.words and without not in request.words

    return fits


def of_key(method: str, key: str) -> Callable[[Request], bool]:
    return lambda request: (request.method, request.key) == (method, key)


STEPS = {
    "look at the source": Step(
        lambda request: request.method in ("HEAD", "GET") and request.key == "faults/source",
        lambda job: job.store.stat(BUCKET, "faults/source"), missing=MISSING,
    ),
    "fetch the source": Step(
        of_key("GET", "faults/source"),
        lambda job: job.store.fetch(job.facts, job.scratch / "x", Cancellation()),
        missing=Code.OBJECT_NOT_FOUND, unmet=Code.OBJECT_CHANGED,
    ),
    "read a manifest": Step(
        of_key("GET", "faults/manifest.json"), lambda job: job.store.read(BUCKET, "faults/manifest.json"),
        missing=MISSING,
    ),
    "create an object": Step(
        is_("PUT", without="uploadId"), lambda job: job.put(b"x", create=True), unmet=MISSING
    ),
    "replace an object": Step(
        is_("PUT", without="uploadId"), lambda job: job.put(b"x", create=False)
    ),
    "begin an upload": Step(
        is_("POST", "uploads"), lambda job: job.put(job.large, create=True), unmet=MISSING, costly=True
    ),
    "upload a part": Step(
        is_("PUT", "uploadId", "partNumber"), lambda job: job.put(job.large, create=True), unmet=MISSING, costly=True
    ),
    "complete an upload": Step(
        is_("POST", "uploadId"), lambda job: job.put(job.large, create=True), unmet=MISSING, costly=True
    ),
    "begin a copy": Step(is_("POST", "uploads"), Job.copy, unmet=Code.OBJECT_CHANGED, costly=True),
    "copy a part": Step(is_("PUT", "uploadId", "partNumber"), Job.copy, unmet=Code.OBJECT_CHANGED, costly=True),
    "complete a copy": Step(is_("POST", "uploadId"), Job.copy, unmet=Code.OBJECT_CHANGED, costly=True),
}  # fmt: skip


@pytest.fixture(scope="module")
def faults(real: tuple[str, str, str]) -> Iterator[StoreFaults]:
    with StoreFaults(real[0]) as proxy:
        yield proxy


@pytest.fixture
def job(real: tuple[str, str, str], faults: StoreFaults, tmp_path: Path) -> Iterator[Job]:
    faults.fault = lambda request: None
    faults.seen.clear()
    store = MinioStore(faults.endpoint, *real[1:], secure=False, copied_part_bytes=COPIED_PART_BYTES)
    facts = store.replace(BUCKET, "faults/source", b"song", media_type="audio/wav", metadata={})
    large = tmp_path / "large"
    large.write_bytes(b"x" * ((16 << 20) + 1))
    yield Job(store, facts, large, tmp_path)
    close(store)


def outcome(step: Step, job: Job) -> Outcome:
    """Whose fault an error is, or that what was asked for is not there."""
    try:
        value = step.run(job)
    except Rejected as rejected:
        return rejected.code
    except StoreUnavailable:
        return WORLD
    return MISSING if value is None else repr(value)


def expected(step: Step, code: str) -> Outcome:
    if code in MESSAGES:
        return INVALID
    if code in NOT_THERE:
        return step.missing
    return step.unmet if code == "PreconditionFailed" else WORLD


def the(faults: StoreFaults, step: Step, fault: Fault) -> None:
    faults.fault = lambda request: fault if step.fits(request) else None


@pytest.mark.parametrize("name", STEPS)
def test_every_code_has_its_owner(job: Job, faults: StoreFaults, name: str) -> None:
    """Each error that S3 or MinIO knows, at this request: the message's if it is in a short list, else the world's."""
    step = STEPS[name]
    wrong = {}
    for code in ONE_OF_EACH if step.costly else ERRORS:
        the(faults, step, s3_error(ERRORS[code], code))
        if (found := outcome(step, job)) != expected(step, code):
            wrong[code] = found
    assert wrong == {}


@pytest.mark.parametrize("name", STEPS)
def test_a_status_alone_is_never_the_messages_fault(job: Job, faults: StoreFaults, name: str) -> None:
    """A proxy's page, or nothing at all, with any status that is an error: only an unmet condition is believed."""
    step = STEPS[name]
    wrong = {}
    for status, body in zip((404, 503) if step.costly else STATUSES, itertools.cycle(BODIES)):
        the(faults, step, Fault(status=status, body=body, headers={"Content-Type": "text/html"}))
        right = step.unmet if status == 412 else WORLD
        if (found := outcome(step, job)) != right:
            wrong[status] = found
    assert wrong == {}


@pytest.mark.parametrize("name", [name for name, step in STEPS.items() if not step.costly])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_is_followed_elsewhere(job: Job, faults: StoreFaults, name: str, status: int) -> None:
    """A redirect is no answer of the store, wherever it leads."""
    elsewhere = {"Location": f"http://{faults.endpoint}/elsewhere"}
    the(faults, STEPS[name], Fault(status=status, headers=elsewhere))
    faults.seen.clear()
    assert outcome(STEPS[name], job) == WORLD
    assert "elsewhere" not in {request.bucket for request in faults.seen}


@pytest.mark.parametrize("name", ["look at the source", "fetch the source", "read a manifest", "create an object"])
def test_who_is_no_store_is_not_believed(job: Job, faults: StoreFaults, name: str) -> None:
    """A page that some proxy sends with status 200 is neither an object nor a word that one was stored."""
    the(faults, STEPS[name], Fault(status=200, body=b"sign in", headers={"Content-Type": "text/html"}))
    assert outcome(STEPS[name], job) == WORLD


@pytest.mark.parametrize("name", ["copy a part", "complete a copy"])
def test_an_error_that_comes_late_is_one(job: Job, faults: StoreFaults, name: str) -> None:
    """S3 may send status 200 and then tell of an error; so may it say nothing that can be read."""
    for fault in (s3_error(200, "InternalError"), Fault(status=200, body=b"<Comp"), Fault(status=200)):
        the(faults, STEPS[name], fault)
        assert outcome(STEPS[name], job) == WORLD


@pytest.mark.parametrize("code", sorted(CREDENTIALS))
def test_credentials_are_named(job: Job, faults: StoreFaults, code: str) -> None:
    """What is the credentials' fault names their variables, in a job and in a check alike."""
    faults.fault = lambda request: s3_error(ERRORS[code], code) if request.method != "HEAD" else Fault(status=403)
    asked: list[Callable[[], object]] = [
        lambda: job.store.read(BUCKET, "x"),
        lambda: job.store.check(BUCKET),
        lambda: job.put(b"", create=True),
    ]
    for ask in asked:
        with pytest.raises(StoreMisconfigured, match="MINIO_ACCESS_KEY, MINIO_SECRET_KEY"):
            ask()


@pytest.mark.parametrize(("status", "code"), [(429, "TooManyRequests"), (503, "SlowDown"), (429, ""), (503, "")])
def test_a_busy_store_is_told_apart(job: Job, faults: StoreFaults, status: int, code: str) -> None:
    """Too many requests, in the store's words or a proxy's, are told with the time that they ask for."""
    fault = s3_error(status, code, **{"Retry-After": "3"})
    for name in ("look at the source", "fetch the source", "create an object", "complete a copy"):
        the(faults, STEPS[name], fault)
        with pytest.raises(StoreBusy) as caught:
            STEPS[name].run(job)
        assert caught.value.retry_after_s == 3.0


@pytest.mark.parametrize("status", [404, 409, 500, 503])
def test_a_check_believes_only_the_store(job: Job, faults: StoreFaults, status: int) -> None:
    """That the bucket is not there is S3's to say; a proxy's 404 is an outage, which is no reason to end a replica."""
    faults.fault = lambda request: Fault(status=status, body=b"404 page not found")
    with pytest.raises(StoreUnavailable) as caught:
        job.store.check(BUCKET)
    assert not isinstance(caught.value, StoreMisconfigured)


def test_what_could_not_be_tidied_up_is_not_the_answer(job: Job, faults: StoreFaults) -> None:
    """Where an upload was in the way of nobody's but could not be removed either, the first answer counts."""
    assert job.put(b"first", create=False)
    faults.fault = lambda request: s3_error(403, "AccessDenied") if request.method == "DELETE" else None
    assert job.put(job.large, create=True) is None


def test_a_pinned_delete_marker_is_no_object(job: Job, real: tuple[str, str, str]) -> None:
    """A version id that names a delete marker finds nothing, and neither does the key: both were deleted."""
    client = Minio(real[0], *real[1:], secure=False)
    if not client.bucket_exists("versions"):
        client.make_bucket("versions")
    client.set_bucket_versioning("versions", VersioningConfig(ENABLED))
    stored = job.store.replace("versions", "song", b"x", media_type="", metadata={})
    client.remove_object("versions", "song")
    marker = next(each for each in client.list_objects("versions", include_version=True) if each.is_delete_marker)
    assert marker.version_id
    assert job.store.stat("versions", "song", version_id=marker.version_id) is None
    assert job.store.stat("versions", "song") is None
    older = next(each for each in client.list_objects("versions", include_version=True) if not each.is_delete_marker)
    found = job.store.stat("versions", "song", version_id=older.version_id)
    assert found
    assert found.etag == stored.etag
    client._http.clear()


def test_no_more_is_written_than_was_announced(job: Job, faults: StoreFaults) -> None:
    """Where something on the way makes more of the bytes, the limit that their announced size kept still holds."""
    answer = Fault(status=200, body=b"s" * 10_000, headers={"ETag": f'"{job.facts.etag}"'})
    the(faults, STEPS["fetch the source"], answer)
    with pytest.raises(StoreUnavailable, match="more bytes came than the 4 that were announced"):
        job.store.fetch(job.facts, job.scratch / "x", Cancellation())
    assert (job.scratch / "x").stat().st_size <= 4


def test_a_full_disk_is_not_the_stores_fault(job: Job) -> None:
    """What the file that is fetched to can't take is told of this machine, with the setting's name."""
    with pytest.raises(ScratchUnavailable, match="SCRATCH_DIR: No space left on device"):
        job.store.fetch(job.facts, Path("/dev/full"), Cancellation())
