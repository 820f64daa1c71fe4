"""Which content a tenant has had separated, and where its file lies: so that it need not be sent once more.

One small object for each tenant and content beside the stems, written after a result. It is a hint: what it names is
looked at before it is believed.
"""

import hashlib
import json
from dataclasses import dataclass

import msgspec

from consumer.core.events import REQUEST_ID, SourceObject


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparatedContent:
    """The latest request for one content of one tenant.

    asked: its source as the request named it. read: the same object with the etag, and the version, that were read.
    """

    request_id: str
    asked: SourceObject
    read: SourceObject

    def to_json(self) -> bytes:
        """As it is stored."""
        return msgspec.json.encode(self)


def content_key(prefix: str, tenant: str | None, sha256: str) -> str:
    """Where it lies. The tenant is part of it: nobody learns what others have had separated.

    prefix: OUTPUT_PREFIX. sha256: of the file, lower-case hex.
    """
    digest = hashlib.sha256(json.dumps({"tenant": tenant, "content": sha256}, sort_keys=True).encode()).hexdigest()
    return f"{prefix}.content/{digest}.json"


def stems_index_key(prefix: str, digest: str) -> str:
    """Where it is told which manifest has the stems of a content. digest: of all that their bytes depend on."""
    return f"{prefix}.index/{digest}.json"


def is_index_key(prefix: str, key: str) -> bool:
    """Whether an entry of one of the two indexes may lie there, and nothing else of the service's."""
    return key.startswith((f"{prefix}.content/", f"{prefix}.index/")) and key.count("/") == prefix.count("/") + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntries:
    """The keys of the entries that a request has written: so that they can be found again from the request."""

    keys: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """As it is stored."""
        return msgspec.json.encode(self)


def index_entries_key(prefix: str, bucket: str, folder: str) -> str:
    """Where the keys of its entries are kept. bucket, folder: where the request's stems lie."""
    digest = hashlib.sha256(json.dumps([bucket, folder]).encode()).hexdigest()
    return f"{prefix}.entries/{digest}.json"


def parse_index_entries(data: bytes | None) -> IndexEntries:
    """Without any where that is none of ours, or nothing."""
    try:
        return msgspec.json.decode(data, type=IndexEntries) if data else IndexEntries()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return IndexEntries()


@dataclass(frozen=True, slots=True, kw_only=True)
class StemsEntry:
    """Which manifest has the stems of one content, separated in one way."""

    bucket: str
    manifest_key: str

    def to_json(self) -> bytes:
        """As it is stored."""
        return msgspec.json.encode(self)


def parse_stems_entry(data: bytes | None) -> StemsEntry | None:
    """None where that is none of ours, or nothing."""
    try:
        return msgspec.json.decode(data, type=StemsEntry) if data else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def parse_separated_content(data: bytes | None) -> SeparatedContent | None:
    """None where that is none of ours, or nothing."""
    try:
        content = msgspec.json.decode(data, type=SeparatedContent) if data else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return content if content is not None and REQUEST_ID.fullmatch(content.request_id) else None
