"""All of it works where Kafka and the store both ask who comes, with the rights that deploy/kafka and deploy/store give
and no others; each of the store's that is taken away is named, with its action, by whoever misses it.
"""

import io
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumer.core.events import DeadLetter, SeparationRequest, SeparationResult
from consumer.core.forgotten import Tombstone, tombstone_key
from harness.encrypted_store import EncryptedStore
from harness.gateway import gateway
from harness.platform import make_platform
from harness.secured_house import OPTIONS, SEEDS, House, Inhabited, also_named, plain_rights
from harness.secured_kafka import SecuredKafka
from harness.store_rights import StoreRight, store_rights
from harness.waiting import wait_for


@pytest.fixture(scope="module")
def home(
    secured: SecuredKafka, encrypted: EncryptedStore, tmp_path_factory: pytest.TempPathFactory, model_path: Path
) -> Iterator[Inhabited]:
    folder = tmp_path_factory.mktemp("house")
    platform = make_platform(
        secured.anybody, encrypted.endpoint, folder, model_path, partitions=2, store_authority=encrypted.authority
    )
    house = House(platform=platform, kafka=secured, store=encrypted)
    reuse = {"DEDUPLICATE_CONTENT": "true", "DEDUPLICATE_WITHOUT_TENANT": "true"}
    with closing(platform):
        # The second retry comes late enough for what a test has taken away to be there again.
        replica = platform.start_replica(**house.environment("replica"), **reuse, RETRY_DELAYS="2s,60s")
        with gateway(platform, **house.environment("gateway"), RATE_LIMIT_BURST="1000") as door:
            replica.wait_ready()
            yield Inhabited(house=house, replica=replica, door=door)


def test_all_of_it_works_with_what_is_shipped(home: Inhabited) -> None:
    """Songs by Kafka, by HTTP in one piece and in parts, stems that are read, a dead letter that is replayed, what is
    tried again until the store gives a right back, what is forgotten, and an operator's commands.
    """
    platform, http = home.platform, home.door.http

    def runs(role: str, *command: str) -> str:
        done = platform.run(*command, **home.house.environment(role))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    source = home.source()
    runs("operator", "request", f"{source['bucket']}/{source['key']}", "--wait")
    job_id, _ = home.finished()
    data = home.song()
    upload = home.begin_upload(data)
    assert http.post(f"{upload}/complete").is_success
    by_parts = http.post(
        "/v1/separations",
        json={"source": {"upload_id": upload.rpartition("/")[2]}, **OPTIONS},
        headers={"Prefer": "wait=60"},
    )
    assert by_parts.json()["state"] == "succeeded", by_parts.text
    for name in ("vocals", "accompaniment"):
        stem = http.get(f"/v1/separations/{job_id}/stems/{name}")
        told = platform.minio.get_object(platform.output_bucket, f"stems/{job_id}/{name}.wav").read()
        assert stem.content == told
    assert http.get(f"/v1/separations/{job_id}/waveform").is_success

    platform.request("missing.wav")
    wait_for(lambda: any(isinstance(outcome, DeadLetter) for outcome in platform.read_outcomes()))
    [place] = re.findall(r"\b\d+:\d+\b", runs("operator", "dlq", "list"))[:1]
    runs("operator", "dlq", "replay", place)

    with home.house.without("consumer", StoreRight(action="s3:PutObject", resource="stems/*")):
        late = platform.request(home.source()["key"])
        topic = f"{platform.topic('REQUESTS')}.retry-1"
        wait_for(lambda: len(platform.read_topic(topic)) > 0)
    wait_for(lambda: any(is_result_of(late, outcome) for outcome in platform.read_outcomes()))

    assert http.delete(f"/v1/separations/{job_id}", params={"forget": "true"}).is_success
    assert platform.objects(f"stems/{job_id}/") == set()
    runs("operator", "forget", "--", by_parts.json()["id"])
    runs("operator", "lag")
    examined = platform.run("doctor", **home.house.environment("operator", "consumer"))
    assert examined.returncode == 0, examined.stdout
    refused = [line for line in home.replica.lines() if "uthorization" in str(line)]
    assert refused == []


def is_result_of(request: SeparationRequest, outcome: SeparationResult | DeadLetter) -> bool:
    return isinstance(outcome, SeparationResult) and outcome.request_id == request.request_id


# --- what a replica misses ---


def separate(home: Inhabited) -> None:
    home.platform.request(home.source()["key"])


def separate_what_is_not_there(home: Inhabited) -> None:
    home.platform.request("missing.wav")


def separate_what_was_forgotten(home: Inhabited) -> None:
    """Which has left a stem, and parts of one, where it would lie."""
    platform = home.platform
    request = platform.a_request(home.source()["key"])
    folder = f"stems/{request.request_id}/"
    tombstone = Tombstone(tenant=None, forgotten_at=datetime.now(UTC)).to_json()
    for key, data in ((tombstone_key("stems/", None, request.request_id), tombstone), (f"{folder}vocals.wav", b"la")):
        platform.minio.put_object(platform.output_bucket, key, io.BytesIO(data), len(data))
    home.leave_parts(request.request_id)
    platform.send(platform.codec.encode(request), request.request_id)


REPLICAS: dict[str, Callable[[Inhabited], None]] = {
    "GetObject on music/*": separate,
    "ListBucket on stems": separate_what_was_forgotten,
    "GetObject on stems/*": separate,
    "PutObject on stems/*": separate,
    "ListBucketMultipartUploads on stems": separate_what_was_forgotten,
    "DeleteObject on stems/stems/*": separate_what_was_forgotten,
    "AbortMultipartUpload on stems/stems/*": separate_what_was_forgotten,
}


def naming(home: Inhabited, right: StoreRight, text: str, *, who: str = "") -> list[str]:
    """The lines that name that right, and its bucket, and the variables to look at."""
    bucket = home.house.bucket(who, right.resource)
    actions = "|".join(map(re.escape, sorted(also_named(right), reverse=True)))
    named = re.compile(rf"MINIO_ACCESS_KEY.* {bucket}: .*no right to ({actions})\b")
    return [line for line in text.splitlines() if named.search(line)]


@pytest.mark.attack
@pytest.mark.parametrize("missing", [right for right in plain_rights("consumer") if str(right) in REPLICAS], ids=str)
def test_a_right_in_the_store_that_a_replica_lacks_is_named(home: Inhabited, missing: StoreRight) -> None:
    log = home.replica.log
    begin = log.stat().st_size
    with home.house.without("consumer", missing):
        REPLICAS[str(missing)](home)
        wait_for(lambda: naming(home, missing, log.read_text()[begin:]))


def test_no_right_of_a_replica_is_left_out() -> None:
    """What MinIO asks nobody for but whoever looks for the bucket itself is the doctor's to find."""
    assert {str(right) for right in plain_rights("consumer")} == REPLICAS.keys() | {"ListBucket on music"}
    assert {str(right) for right in plain_rights("gateway")} == GATEWAYS.keys()


# --- what a gateway misses ---


def look_for_what_nobody_knows(home: Inhabited) -> Callable[[], int]:
    return lambda: home.door.http.get(f"/v1/separations/{uuid.uuid4().hex}").status_code


def begin_an_upload(home: Inhabited) -> Callable[[], int]:
    return lambda: home.door.http.post("/v1/uploads", json={"size_bytes": 1000}).status_code


def complete_an_upload(home: Inhabited) -> Callable[[], int]:
    upload = home.begin_upload(home.song())
    return lambda: home.door.http.post(f"{upload}/complete").status_code


def give_an_upload_up(home: Inhabited) -> Callable[[], int]:
    upload = home.begin_upload(home.song())
    return lambda: home.door.http.delete(upload).status_code


def forget(home: Inhabited) -> Callable[[], int]:
    job_id, _ = home.finished()
    home.leave_parts(job_id)
    return lambda: home.door.http.delete(f"/v1/separations/{job_id}", params={"forget": "true"}).status_code


GATEWAYS: dict[str, Callable[[Inhabited], Callable[[], int]]] = {
    "GetObject on music/*": complete_an_upload,
    "GetObject on stems/*": look_for_what_nobody_knows,
    "ListBucket on music": forget,
    "ListBucket on stems": forget,
    "PutObject on music/uploads/*": begin_an_upload,
    "ListMultipartUploadParts on music/uploads/*": complete_an_upload,
    "AbortMultipartUpload on music/uploads/*": give_an_upload_up,
    "DeleteObject on music/uploads/*": give_an_upload_up,
    "ListBucketMultipartUploads on music": forget,
    "ListBucketMultipartUploads on stems": forget,
    "DeleteObject on stems/stems/*": forget,
    "AbortMultipartUpload on stems/stems/*": forget,
    "PutObject on stems/forgotten/*": forget,
}


@pytest.mark.attack
@pytest.mark.parametrize("missing", plain_rights("gateway"), ids=str)
def test_a_right_in_the_store_that_a_gateway_lacks_is_named(home: Inhabited, missing: StoreRight) -> None:
    """In its log; whoever asks is told 503, and may ask again once the right is there."""
    ask, log = GATEWAYS[str(missing)](home), home.door.process.log
    begin = log.stat().st_size
    with home.house.without("gateway", missing):
        assert ask() == 503
        wait_for(lambda: naming(home, missing, log.read_text()[begin:]))
    assert ask() in (200, 201, 202, 204, 404, 410)


# --- what commands miss ---

FORGETTING = [
    right for right in plain_rights("gateway")
    if GATEWAYS[str(right)] is forget or str(right) == "DeleteObject on music/uploads/*"
]  # fmt: skip


@pytest.mark.attack
@pytest.mark.parametrize("missing", FORGETTING, ids=str)
def test_a_right_that_forget_lacks_is_named(home: Inhabited, missing: StoreRight) -> None:
    """In one line, before anything is said to be gone."""
    job_id, _ = home.finished()
    home.leave_parts(job_id)
    with home.house.without("gateway", missing):
        done = home.platform.run("forget", "--", job_id, **home.house.environment("operator"))
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert naming(home, missing, done.stderr) == done.stderr.splitlines()


EXAMINED = [right for right in plain_rights("consumer") if str(right) not in (
    "GetObject on music/*",  # which is asked for an object that is not there
    "AbortMultipartUpload on stems/stems/*",  # nothing is begun that would have to be given up
)]  # fmt: skip


@pytest.mark.attack
@pytest.mark.parametrize("missing", EXAMINED, ids=str)
def test_the_doctor_names_a_right_that_a_replica_lacks(home: Inhabited, missing: StoreRight) -> None:
    with home.house.without("consumer", missing):
        examined = home.platform.run("doctor", **home.house.environment("operator", "consumer"))
    assert examined.returncode == 1
    wrong = [line for line in examined.stdout.splitlines() if ": OK" not in line]
    assert len(wrong) == 1, examined.stdout
    assert naming(home, missing, wrong[0]) == wrong


def create_buckets(home: Inhabited) -> "subprocess.CompletedProcess[str]":
    """One that need not be there yet, with rules that it has not had before."""
    environment = {
        **home.house.environment("operator", "buckets"), "OUTPUT_BUCKET": home.house.bucket("buckets", "stems"),
        "RETENTION_STEMS": f"{next(SEEDS)}d",
    }  # fmt: skip
    return home.platform.run("buckets", "create", **environment)


@pytest.mark.attack
@pytest.mark.parametrize("missing", [right for right in store_rights("buckets") if right.resource == "stems"], ids=str)
def test_a_right_that_buckets_create_lacks_is_named(home: Inhabited, missing: StoreRight) -> None:
    """In one line; it is told of a bucket that is not there yet, and of rules that are new to it."""
    with home.house.without("buckets", missing):
        done = create_buckets(home)
    assert done.returncode == 1
    assert naming(home, missing, done.stderr, who="buckets") == done.stderr.splitlines()


def test_with_all_of_them_buckets_are_made(home: Inhabited) -> None:
    made = create_buckets(home)
    assert made.returncode == 0, made.stderr
    assert home.platform.minio.bucket_exists(home.house.bucket("buckets", "stems"))
