"""Bytes that are made up, where manifests, entries of the indexes and tombstones are read."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.content_index import parse_index_entries, parse_separated_content, parse_stems_entry
from consumer.core.events import REQUEST_ID, SeparationResult, SourceUsed, Stem
from consumer.core.manifest import Manifest, carried_stem, lies_in, parse_manifest
from consumer.core.seal import Seal
from consumer.gateway.views import manifest_document

TRUE: dict[str, Any] = msgspec.to_builtins(
    Manifest(
        request_id="r1", fingerprint="f" * 64, model="2stems", weights_sha256="0" * 64,
        source=SourceUsed(bucket="in", key="a.mp3", format="mp3", duration_s=1.5, channels=2, sample_rate_hz=44100),
        stems=(Stem(name="vocals", bucket="out", key="stems/r1/vocals.wav", size_bytes=6, sha256="a" * 64, crc32=1),),
        timings_s={"fetch": 0.5}, completed_at=datetime(2026, 1, 1, tzinfo=UTC), overviews={"vocals": (0.5,)},
        etags={"vocals": "e"},
    )
)  # fmt: skip
SEAL = Seal(keys=lambda: (b"k" * 32,))
numbers = st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([-1, 0, 2**31, 2**63, 2**64, 1e308, math.inf])
moments = st.datetimes().map(datetime.isoformat) | st.sampled_from(
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | numbers
    | st.text(max_size=12)
    | st.sampled_from(["../x", "\ud800", "a" * 64])
    | moments,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of everything in it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for name, found in inner for each in paths(found, (*path, name)))]


def with_value(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    first, *rest = path
    copied = value.copy()
    copied[first] = with_value(copied[first], tuple(rest), new)
    return copied


spoilt_once = st.builds(lambda path, new: with_value(TRUE, path, new), st.sampled_from(paths(TRUE)), values)
spoilt_twice = st.builds(
    lambda fields: TRUE | {"model": fields[0], "stems": [TRUE["stems"][0] | fields[1]], "completed_at": fields[2]},
    st.tuples(
        st.text(max_size=8),
        st.fixed_dictionaries({"name": st.sampled_from(["../x", "vocals", ""]), "key": st.just("stems/r1/../x.wav")}),
        moments,
    ),
)
spoilt = (spoilt_once | spoilt_twice).map(lambda found: json.dumps(found).encode())
cut = st.builds(lambda at, new: json.dumps(TRUE).encode()[:at] + new, st.integers(0, 900), st.binary(max_size=20))
anything = spoilt | cut | st.binary(max_size=200)


@given(anything)
@example(json.dumps(TRUE).encode())
def test_what_is_taken_for_a_manifest_can_be_published_and_shown(data: bytes) -> None:
    """Or it is none; nothing else comes of it."""
    if (manifest := parse_manifest(data)) is None:
        return
    result = SeparationResult(
        request_id="r1", source=manifest.source, model=manifest.model, weights_sha256=manifest.weights_sha256,
        stems=manifest.stems, timings_s=manifest.timings_s, completed_at=manifest.completed_at,
        warnings=manifest.warnings,
    )  # fmt: skip
    codec = AvroCodec()
    read = codec.decode(SeparationResult, codec.encode(result))
    assert [stem.size_bytes for stem in read.stems] == [stem.size_bytes for stem in manifest.stems]
    json.dumps(manifest_document(manifest), allow_nan=False).encode()
    assert parse_manifest(manifest.to_json()) == manifest


@given(anything)
def test_whatever_lies_in_its_place_is_a_stem_of_it(data: bytes) -> None:
    """No stem of a manifest that is believed has another bucket, or a key outside of its folder."""
    manifest = parse_manifest(data)
    if manifest is not None and lies_in(manifest, "out", "stems/r1/", "wav"):
        allowed = {f"stems/r1/{name}.wav" for name in ("vocals", "drums", "bass", "piano", "other", "accompaniment")}
        keys = [stem.key for stem in manifest.stems]
        assert {stem.bucket for stem in manifest.stems} == {"out"}
        assert manifest.model != "2stems" or set(keys) <= allowed
        assert all(key.startswith("stems/r1/") and key.count("/") == 2 for key in keys)


@given(anything, st.sampled_from([parse_stems_entry, parse_separated_content, parse_index_entries]))
def test_an_entry_of_the_indexes_is_one_or_none(data: bytes, parse: Callable[[bytes], object]) -> None:
    """Whatever its bytes are; a request that it names has an id that one can have."""
    found = parse(data)
    if request_id := getattr(found, "request_id", None):
        assert REQUEST_ID.fullmatch(request_id)


@given(anything, st.text(max_size=20), st.text(max_size=20))
def test_nothing_unsigned_is_believed(data: bytes, bucket: str, key: str) -> None:
    """And what is signed is believed in its place alone, with each of its bytes as it was."""
    assert SEAL.open(bucket, key, data) is None
    signed = SEAL.close(bucket, key, b'{"a":1}')
    assert SEAL.open(bucket, key, signed) == signed
    assert data in (b"", signed) or SEAL.open(bucket, key, signed[:-1] + data) in (None, signed)
    assert SEAL.open(bucket, key + "x", signed) is None


@given(st.dictionaries(st.sampled_from(["stem", "attempt"]), st.text(max_size=40) | spoilt.map(bytes.decode)))
def test_metadata_is_a_stems_or_nobodys(metadata: dict[str, str]) -> None:
    """Whatever stands in an object's own."""
    found = carried_stem(metadata, bucket="out", key="k")
    assert found is None or (found.bucket, found.key) == ("out", "k")
