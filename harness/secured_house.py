"""A replica, a gateway and an operator that have exactly the rights that are shipped, in a Kafka and a store that both
ask who comes: TLS with authorities of their own, SCRAM, ACLs, policies and temporary keys.
"""

import hashlib
import io
import itertools
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from harness.clips import write_clip
from harness.encrypted_store import EncryptedStore
from harness.gateway import Gateway
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.rights import bindings, rights_of
from harness.secured_kafka import SecuredKafka
from harness.store_rights import StoreRight, policy_of, store_rights

OPTIONS = {"model": "2stems", "output": {"format": "wav"}}
SEEDS = itertools.count(1)

# Whose store rights are whose, by the roles that Kafka knows: who runs `forget` comes with a gateway's key.
_STORE_RIGHTS = {"replica": "consumer", "gateway": "gateway", "operator": "gateway"}

_OF_VERSIONS = {
    "s3:GetObject": "s3:GetObjectVersion", "s3:ListBucket": "s3:ListBucketVersions",
    "s3:DeleteObject": "s3:DeleteObjectVersion",
}  # fmt: skip


def plain_rights(who: str) -> list[StoreRight]:
    """Those of a file of deploy/store; of S3's pairs, to things and to their versions, the first."""
    return [right for right in store_rights(who) if right.action not in _OF_VERSIONS.values()]


def also_named(right: StoreRight) -> set[str]:
    """Its action, and the one to versions that goes with it."""
    return {right.action, _OF_VERSIONS.get(right.action, right.action)}


@dataclass(slots=True, kw_only=True)
class House:
    """platform: whose administrator may do everything. In its source bucket all versions are kept."""

    platform: Platform
    kafka: SecuredKafka
    store: EncryptedStore
    _name: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    _kept: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        versions = VersioningConfig(ENABLED)
        self.platform.minio.set_bucket_versioning(self.platform.source_bucket, versions)

    def environment(self, role: str, who: str = "") -> Mapping[str, str]:
        """What a process is told that has a role's rights in Kafka, and in the store those of a file of deploy/store.

        who: whose file that is, where it is not the role's usual one. Users are made when they are first asked for.
        """
        who = who or _STORE_RIGHTS[role]
        if role not in self._kept:
            self._kept[role] = self._in_kafka(role)
        return self._kept[role] | self._keys(who)

    def _keys(self, who: str) -> dict[str, str]:
        if f"store {who}" not in self._kept:
            self._kept[f"store {who}"] = self._in_store(who)
        return self._kept[f"store {who}"]

    def _in_store(self, who: str) -> dict[str, str]:
        """Temporary keys of a user with these rights."""
        user, password = f"{who}-{self._name}", f"password-of-{who}-{self._name}"
        admin = self.store.admin
        self._allow(who, store_rights(who))
        admin.user_add(user, password)
        admin.policy_set(user, user=user)
        return self.store.temporary_keys(user, password)

    @contextmanager
    def without(self, who: str, missing: StoreRight) -> Iterator[None]:
        """As long as this lasts nobody who has the rights of that file has that one.

        Nor the one that MinIO takes for it: of S3's pairs of rights, to things and to their versions, it is content
        with either, or with the plain one.
        """
        self._keys(who)  # who gets all rights when first asked for
        gone = also_named(missing)
        left = [each for each in store_rights(who) if each.resource != missing.resource or each.action not in gone]
        self._allow(who, left)
        try:
            yield
        finally:
            self._allow(who, store_rights(who))

    def _in_kafka(self, role: str) -> dict[str, str]:
        user, password = f"{role}-{self._name}", f"password-in-kafka-of-{role}-{self._name}"
        self.kafka.set_password(user, password)
        self.kafka.grant(bindings(rights_of(role), self.platform.environment, user))
        return self.kafka.by_password(user, KAFKA_SASL_PASSWORD=password)

    def bucket(self, who: str, resource: str) -> str:
        """What stands for the bucket of a policy; for who sets buckets up, `stems` is one that is not there yet."""
        name = {"music": self.platform.source_bucket, "stems": self.platform.output_bucket}[resource.partition("/")[0]]
        return f"{name}-new" if (who, resource) == ("buckets", "stems") else name

    def _allow(self, who: str, rights: list[StoreRight]) -> None:
        buckets = {name: self.bucket(who, name) for name in ("music", "stems")}
        self.store.admin.policy_add(f"{who}-{self._name}", policy=policy_of(rights, buckets))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhabited:
    """The house, with a replica and a gateway at work in it."""

    house: House
    replica: ReplicaProcess
    door: Gateway

    @property
    def platform(self) -> Platform:
        return self.house.platform

    def song(self) -> bytes:
        """One that nobody has heard yet."""
        path = self.platform.folder / f"{uuid.uuid4().hex}.wav"
        return write_clip(path, seconds=0.5, seed=next(SEEDS)).read_bytes()

    def source(self) -> dict[str, str]:
        """A new song in the source bucket, as HTTP names it."""
        key = f"{uuid.uuid4().hex}.wav"
        data = self.song()
        self.platform.minio.put_object(self.platform.source_bucket, key, io.BytesIO(data), len(data))
        self.platform.handled.add(key)
        return {"bucket": self.platform.source_bucket, "key": key}

    def finished(self) -> tuple[str, str]:
        """The id of a separation of an uploaded song that has come to its result, and the song's sha256."""
        data = self.song()
        form: Any = [("request", (None, json.dumps(OPTIONS), "application/json")), ("file", ("a.wav", data))]
        sent = self.door.http.post("/v1/separations", files=form, headers={"Prefer": "wait=60"})
        assert sent.json()["state"] == "succeeded", sent.text
        return sent.json()["id"], hashlib.sha256(data).hexdigest()

    def begin_upload(self, data: bytes) -> str:
        """Of one part, which is there."""
        begun = self.door.http.post("/v1/uploads", json={"size_bytes": len(data)})
        assert begun.status_code == 201, begun.text
        upload = f"/v1/uploads/{begun.json()['upload_id']}"
        assert self.door.http.put(f"{upload}/parts/1", content=data).is_success
        return upload

    def leave_parts(self, request_id: str) -> None:
        """Of a stem, as a replica leaves them that was killed while it stored it."""
        place = (self.platform.output_bucket, f"stems/{request_id}/vocals.wav")
        upload = self.platform.minio._create_multipart_upload(*place, {})
        self.platform.minio._upload_part(*place, b"la la", None, upload, 1)
