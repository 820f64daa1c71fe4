"""Uploads of parts. What is known of one lies in the store beside its file: every gateway can go on with it.

Its keys come from tenant and id, so that another tenant's upload is not found.
"""

import base64
import hashlib
import math
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus

import msgspec

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import ConsumerError, StoreUnavailable
from consumer.core.events import SourceObject
from consumer.core.model import StoredPart
from consumer.core.ports import ObjectStore, PartStore
from consumer.core.upload_place import UPLOADS, upload_record_key
from consumer.gateway.problems import FieldError, Problem
from consumer.gateway.uploads.receiving import too_large
from consumer.gateway.uploads.sniffing import HEAD_BYTES, check_type
from consumer.pipeline.documents import read_document

_PART_BYTES, _MOST_PARTS = 8 << 20, 10_000
_MIB = 1 << 20
_SHOWN = 20
_LONGEST_LINK_S = 604_800  # seven days: S3 signs for no longer


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRecord:
    """What is kept of an upload. etag: of its file, once it is whole; None before."""

    size_bytes: int
    part_bytes: int
    sha256: str | None
    store_upload_id: str
    expires_at: datetime
    etag: str | None = None

    def part_sizes(self) -> dict[int, int]:
        """How many bytes each part has, by number."""
        whole, rest = divmod(self.size_bytes, self.part_bytes)
        sizes = dict.fromkeys(range(1, whole + 1), self.part_bytes)
        return sizes | ({whole + 1: rest} if rest else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRules:
    """max_object_bytes: of a file. formats: containers that are taken. expires_s: from the start to completion."""

    max_object_bytes: int
    formats: Collection[str]
    expires_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlace:
    """Where one upload lies."""

    upload_id: str
    record_key: str
    file_key: str


class UploadSessions:
    """Thread-safe; each method waits for the store. All raise Problem, StoreUnavailable."""

    def __init__(
        self, store: ObjectStore, parts: PartStore, bucket: str, rules: SessionRules, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._store, self._parts, self._bucket = store, parts, bucket
        self._rules, self._clock = rules, clock

    def begin(self, tenant: str | None, size_bytes: int, sha256: str | None) -> tuple[str, UploadRecord]:
        """The new upload's id, and what it is. Raises Problem: 413."""
        if size_bytes > self._rules.max_object_bytes:
            raise too_large(self._rules.max_object_bytes)
        place = place_of(tenant, secrets.token_urlsafe(32))
        record = UploadRecord(
            size_bytes=size_bytes,
            part_bytes=max(_PART_BYTES, math.ceil(size_bytes / _MOST_PARTS / _MIB) * _MIB),
            sha256=sha256,
            store_upload_id=self._parts.begin(self._bucket, place.file_key),
            expires_at=self._clock.now() + timedelta(seconds=self._rules.expires_s),
        )
        try:
            self._keep(place, record)
        except ConsumerError:
            self._parts.abort(self._bucket, place.file_key, record.store_upload_id)
            raise
        return place.upload_id, record

    def part_url(self, tenant: str | None, upload_id: str, record: UploadRecord, number: int) -> str | None:
        """Where a part can be put without us; None: nowhere."""
        left_s = (record.expires_at - self._clock.now()).total_seconds()
        return self._parts.part_url(
            self._bucket, place_of(tenant, upload_id).file_key, record.store_upload_id, number,
            expires_s=max(1, min(_LONGEST_LINK_S, round(left_s))),
        )  # fmt: skip

    def part_size(self, tenant: str | None, upload_id: str, number: int) -> int:
        """How many bytes that part has. Raises Problem: 404 where there is no such upload or part, 409, 410."""
        _, record = self._open(tenant, upload_id)
        size = record.part_sizes().get(number)
        if size is None:
            raise _no_upload()
        return size

    def put_part(self, tenant: str | None, upload_id: str, number: int, data: bytes) -> StoredPart:
        """Raises Problem: 404, 409, 410."""
        place, record = self._open(tenant, upload_id)
        stored = self._parts.put_part(self._bucket, place.file_key, record.store_upload_id, number, data)
        if stored is None:
            raise _no_upload()
        return stored

    def complete(self, tenant: str | None, upload_id: str) -> UploadRecord:
        """Put it together; done before, it is answered again.

        Raises Problem: 404, 409 where parts are missing or of another size, 410, 415 for what is no audio, 422 where
        its digest is another than was told.
        """
        place = place_of(tenant, upload_id)
        record = self._record(place)
        if record.etag is not None:
            return record
        self._check_expiry(record)
        etag = self._put_together(place, record)
        try:
            check_type(b"".join(self._read(place, etag, HEAD_BYTES)), self._rules.formats)
            self._check_digest(place, etag, record.sha256)
        except Problem:
            self._remove(place, record)
            raise
        done = replace(record, etag=etag)
        self._keep(place, done)
        return done

    def source(self, tenant: str | None, upload_id: str) -> SourceObject:
        """The file, as the source of a separation. Raises Problem: 404, 409 where it is not complete."""
        place = place_of(tenant, upload_id)
        record = self._record(place)
        if record.etag is None:
            raise Problem(HTTPStatus.CONFLICT, "UPLOAD_INCOMPLETE", "this upload is not complete")
        return SourceObject(bucket=self._bucket, key=place.file_key, etag=record.etag)

    def remove(self, tenant: str | None, upload_id: str) -> None:
        """Forget it and its file. Raises Problem: 404."""
        place = place_of(tenant, upload_id)
        self._remove(place, self._record(place))

    def _put_together(self, place: UploadPlace, record: UploadRecord) -> str:
        stored = self._parts.list_parts(self._bucket, place.file_key, record.store_upload_id)
        if stored is not None:
            _check_parts(stored, record)
            etag = self._parts.complete(self._bucket, place.file_key, record.store_upload_id, stored)
            if etag is not None:
                return etag
        facts = self._store.stat(self._bucket, place.file_key)  # another has done it, or we did and were stopped
        if facts is None:
            raise _no_upload()
        return facts.etag

    def _check_digest(self, place: UploadPlace, etag: str, sha256: str | None) -> None:
        if sha256 is None:
            return
        digest = hashlib.sha256()
        for chunk in self._read(place, etag, None):
            digest.update(chunk)
        if digest.hexdigest() != sha256:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "DIGEST_MISMATCH", "the file's sha256 is not the one that was told"
            )

    def _read(self, place: UploadPlace, etag: str, first_bytes: int | None) -> Iterator[bytes]:
        return self._parts.read_chunks(self._bucket, place.file_key, etag=etag, first_bytes=first_bytes)

    def _open(self, tenant: str | None, upload_id: str) -> tuple[UploadPlace, UploadRecord]:
        place = place_of(tenant, upload_id)
        record = self._record(place)
        if record.etag is not None:
            raise Problem(HTTPStatus.CONFLICT, "UPLOAD_COMPLETE", "this upload is complete already")
        self._check_expiry(record)
        return place, record

    def _check_expiry(self, record: UploadRecord) -> None:
        if self._clock.now() > record.expires_at:
            raise Problem(HTTPStatus.GONE, "UPLOAD_EXPIRED", "the time for this upload is over: begin another one")

    def _record(self, place: UploadPlace) -> UploadRecord:
        data = read_document(self._store, self._bucket, place.record_key)
        if data is None:
            raise _no_upload()
        try:
            return msgspec.json.decode(data, type=UploadRecord)
        except msgspec.MsgspecError as error:
            raise StoreUnavailable("what is kept of an upload can't be read") from error

    def _keep(self, place: UploadPlace, record: UploadRecord) -> None:
        data = msgspec.json.encode(record)
        self._store.replace(self._bucket, place.record_key, data, media_type="application/json", metadata={})

    def _remove(self, place: UploadPlace, record: UploadRecord) -> None:
        """The record last: as long as it is there the rest can be found."""
        self._parts.abort(self._bucket, place.file_key, record.store_upload_id)
        self._parts.remove(self._bucket, place.file_key)
        self._parts.remove(self._bucket, place.record_key)


def place_of(tenant: str | None, upload_id: str) -> UploadPlace:
    """Where it lies: another place for each tenant and id."""
    told = f"upload\0{'' if tenant is None else 't' + tenant}\0{upload_id}"
    name = base64.urlsafe_b64encode(hashlib.sha256(told.encode()).digest()).decode().rstrip("=")
    return UploadPlace(upload_id=upload_id, record_key=upload_record_key(name), file_key=f"{UPLOADS}{name}")


def _check_parts(stored: Collection[StoredPart], record: UploadRecord) -> None:
    found = {part.number: part.size_bytes for part in stored}
    wanted = record.part_sizes()
    wrong = [number for number in sorted(wanted.keys() | found.keys()) if found.get(number) != wanted.get(number)]
    if wrong:
        told = "must be there, and of its size"
        raise Problem(
            HTTPStatus.CONFLICT, "UPLOAD_INCOMPLETE", "parts are missing, or not of their size; `errors` says which",
            errors=[FieldError(pointer=f"/parts/{number}", detail=told) for number in wrong[:_SHOWN]],
        )  # fmt: skip


def _no_upload() -> Problem:
    """Whoever's it is: what is another's is not told from what is not there."""
    return Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "there is no such upload")
