"""The manifest: written last, so where it stands, the stems are whole; a repeated request is answered from it."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

import msgspec

from consumer.core.catalog import FORMATS, STEM_MODELS
from consumer.core.events import SourceUsed, Stem

VERSION = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_YEARS = range(1970, 9999)  # whose moments are the same in every zone


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
    etags: dict[str, str] = field(default_factory=dict)
    """By stem: what the store calls the bytes that were stored; without those that are not known."""

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
    return manifest if manifest.version == VERSION and _is_possible(manifest) else None


def lies_in(manifest: Manifest, bucket: str, folder: str, extension: str | None = None) -> bool:
    """Whether its stems are those that the service itself puts there, by their names and keys.

    folder: what their keys begin with. extension: of their files; None: that of any format.
    """
    known = STEM_MODELS[manifest.model].stems if manifest.model in STEM_MODELS else None
    names = [stem.name for stem in manifest.stems]
    if not all(map(_NAME.fullmatch, names)):
        return False
    if not names or len(set(names)) < len(names) or (known is not None and not set(names) <= set(known)):
        return False
    extensions = {extension} if extension else {each.extension for each in FORMATS.values()}
    return all(
        stem.bucket == bucket and any(stem.key == f"{folder}{stem.name}.{each}" for each in extensions)
        for stem in manifest.stems
    )


def _is_possible(manifest: Manifest) -> bool:
    """Whether each of its numbers is one that a result can hold."""
    source = manifest.source
    spans = (source.duration_s, *manifest.timings_s.values(), *(stem.duration_s for stem in manifest.stems))
    levels = (*(stem.loudness_lufs or 0.0 for stem in manifest.stems), *chain(*manifest.overviews.values()))
    counts = (source.channels, source.sample_rate_hz, source.track)
    ended = manifest.completed_at
    return (
        ended.tzinfo is not None
        and ended.year in _YEARS
        and all(math.isfinite(each) and each >= 0 for each in (*spans, *(stem.peak for stem in manifest.stems)))
        and all(map(math.isfinite, levels))
        and all(0 <= each < 1 << 31 for each in counts)
        and all(map(_is_possible_stem, manifest.stems))
    )


def _is_possible_stem(stem: Stem) -> bool:
    sizes = (stem.size_bytes, stem.clipped_samples)
    return (
        all(0 <= each < 1 << 63 for each in sizes)
        and (stem.crc32 is None or 0 <= stem.crc32 < 1 << 32)
        and _DIGEST.fullmatch(stem.sha256) is not None
    )
