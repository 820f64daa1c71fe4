"""Putting away what is infected, with the rights that the page on security names and no others."""

import io
import uuid
from collections.abc import Iterator, Sequence

import pytest
from minio import Minio
from minio.commonconfig import ENABLED, Tags
from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin
from minio.versioningconfig import VersioningConfig

from consumer.adapters.s3.client import StoreAccess
from consumer.adapters.s3.credentials import fixed_keys
from consumer.adapters.s3.quarantine import TAG, MinioQuarantine
from consumer.core.errors import StoreMisconfigured, StoreUnavailable
from consumer.core.model import ObjectFacts
from harness.pages import DOCS, table
from tests.conftest import MinioServer

READ = ("s3:GetObject", "s3:GetObjectVersion")


class Place:
    """Two buckets, and whoever may do in them what a row of the page says."""

    def __init__(self, minio: MinioServer) -> None:
        self.minio = minio
        self.songs, self.away = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("songs", "away"))
        self.admin = Minio(minio.endpoint, minio.access_key, minio.secret_key, secure=False)
        for bucket in (self.songs, self.away):
            self.admin.make_bucket(bucket)

    def put(self, content: bytes = b"bad song") -> ObjectFacts:
        made = self.admin.put_object(self.songs, "a/song.mp3", io.BytesIO(content), len(content))
        return ObjectFacts(
            bucket=self.songs, key="a/song.mp3", etag=made.etag or "", size_bytes=len(content),
            version_id=made.version_id,
        )  # fmt: skip

    def quarantine(self, how: str, *, without: str = "") -> MinioQuarantine:
        """Of who may read songs, and has the rights of that way but for one."""
        user, secret = f"u{uuid.uuid4().hex[:8]}", "a-secret-of-the-tests"
        allowed = [{"Effect": "Allow", "Action": [*READ], "Resource": [f"arn:aws:s3:::{self.songs}/*"]}]
        for way, place, actions in rights():
            bucket = self.away if "QUARANTINE" in place else self.songs
            if way == how and (left := [action for action in actions if action != without]):
                allowed.append({"Effect": "Allow", "Action": left, "Resource": [f"arn:aws:s3:::{bucket}/*"]})
        admin = MinioAdmin(
            endpoint=self.minio.endpoint, credentials=StaticProvider(self.minio.access_key, self.minio.secret_key),
            secure=False,
        )  # fmt: skip
        admin.policy_add(user, policy={"Version": "2012-10-17", "Statement": allowed})
        admin.user_add(user, secret)
        admin.policy_set(user, user=user)
        admin._http.clear()
        access = StoreAccess(credentials=fixed_keys(user, secret))
        moved_to = self.away if how == "move" else None
        return MinioQuarantine(self.minio.endpoint, access, secure=False, moved_to=moved_to)

    def keys(self, bucket: str) -> list[str | None]:
        return [item.object_name for item in self.admin.list_objects(bucket, recursive=True)]


def rights() -> list[tuple[str, str, Sequence[str]]]:
    """Way, place and actions, as docs/security.md has them."""
    return [
        (how.strip("`"), place, [action.strip().strip("`") for action in actions.split(",")])
        for how, place, actions in table(DOCS / "security.md", "rights of the quarantine")
    ]


@pytest.fixture
def place(minio: MinioServer) -> Iterator[Place]:
    place = Place(minio)
    yield place
    place.admin._http.clear()


def test_it_is_marked_beside_the_tags_that_it_has(place: Place) -> None:
    """With the name of what was found, as far as a tag can hold it."""
    source = place.put()
    tags = Tags.new_object_tags()
    tags["artist"] = "somebody"
    place.admin.set_object_tags(place.songs, source.key, tags)
    quarantine = place.quarantine("tag")
    for _ in range(2):  # a record that comes again finds it marked
        quarantine.put_away(source, "Win.Test,{evil}")
        assert dict(place.admin.get_object_tags(place.songs, source.key) or {}) == {
            "artist": "somebody", TAG: "Win.Test__evil_",
        }  # fmt: skip


@pytest.mark.parametrize("versions", [False, True], ids=["plain", "versions"])
def test_it_is_moved(place: Place, versions: bool) -> None:
    """It lies in the other bucket under the name of its own, and no more where it was; of versions that one alone."""
    if versions:
        place.admin.set_bucket_versioning(place.songs, VersioningConfig(ENABLED))
        place.put(b"an earlier one")
    source = place.put()
    place.quarantine("move").put_away(source, "Win.Test")
    assert place.keys(place.away) == [f"{place.songs}/a/song.mp3"]
    assert place.admin.get_object(place.away, f"{place.songs}/a/song.mp3").data == b"bad song"
    assert place.keys(place.songs) == (["a/song.mp3"] if versions else [])


@pytest.mark.attack
@pytest.mark.parametrize("how", ["tag", "move"])
def test_another_song_under_its_name_is_left_alone(place: Place, how: str) -> None:
    """Who replaces an object after it was scanned does not get the new one put away, nor the old finding onto it."""
    scanned = place.put()
    place.put(b"good song")
    with pytest.raises(StoreUnavailable, match="has changed since it was scanned"):
        place.quarantine(how).put_away(scanned, "Win.Test")
    assert place.keys(place.songs) == ["a/song.mp3"]
    assert not place.admin.get_object_tags(place.songs, scanned.key)
    assert place.keys(place.away) == []


CASES = [(how, action) for how, _, actions in rights() for action in actions if "Version" not in action]


@pytest.mark.parametrize(("how", "missing"), CASES, ids=lambda word: word)
def test_each_right_is_needed(place: Place, how: str, missing: str) -> None:
    """Without it the error says so in one line; nothing is lost by half a move."""
    source = place.put()
    with pytest.raises(StoreMisconfigured, match="AccessDenied") as caught:
        place.quarantine(how, without=missing).put_away(source, "Win.Test")
    assert "\n" not in str(caught.value)
    assert place.keys(place.songs) == ["a/song.mp3"]
