"""The manifest: written last, so where it stands, the stems are whole; a repeated request is answered from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from consumer.core.events import SourceUsed, Stem

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All of a result that does not depend on which record asked for it.

    Fields of the same name mean what they mean in a SeparationResult.
    """

    version: int = VERSION
    """Of this format; a manifest of another version is read as none."""
    request_id: str
    fingerprint: str
    """Digest of what was asked for, whoever asked and when: lower-case hex."""
    source: SourceUsed
    model: str
    weights_sha256: str
    stems: tuple[Stem, ...]
    timings_s: dict[str, float]
    completed_at: datetime
    warnings: tuple[str, ...] = ()
    overviews: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """By stem: the largest absolute sample of each of some hundred equal spans, 0..1, for drawing."""

    def to_json(self) -> bytes:
        """As it is stored: indented JSON in UTF-8."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1)


def stem_to_carry(stem: Stem) -> str:
    """What a stem's object says of it in its own metadata: JSON in ASCII, which is all that a header can hold.

    Bucket and key are left out: the object lies there, and a long key would not fit into the 2 KB that S3 allows.
    """
    told = {name: value for name, value in msgspec.to_builtins(stem).items() if name not in ("bucket", "key")}
    return json.dumps(told, separators=(",", ":"))


def carried_stem(metadata: Mapping[str, str], *, bucket: str, key: str) -> Stem | None:
    """What the metadata of the object that lies there says of the stem in it; None where it is none of ours."""
    try:
        told = msgspec.json.decode(metadata["stem"], type=dict[str, object])
        return msgspec.convert({**told, "bucket": bucket, "key": key}, type=Stem)
    except (KeyError, msgspec.MsgspecError):
        return None


def parse_manifest(data: bytes) -> Manifest | None:
    """The manifest in these bytes; None where they are none of ours, or a later version's."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return manifest if manifest.version == VERSION else None
