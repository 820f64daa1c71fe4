"""Weights that are made up: their archive, their conversion, their configuration and their state file.

Each is read whole, or refused as MODEL_UNAVAILABLE in words; nothing else is raised, and nothing is written elsewhere.
"""

import contextlib
import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.checkpoints import checkpoint_files
from consumer.core.errors import Code, Rejected
from consumer.pipeline.model_archive import LIMITS, BadArchive, unpack
from consumer.separator.models.conversion import OutOfDate, map_conversion, write_conversion
from consumer.separator.models.conversion_cache import checksum_text, conversion_prefix
from consumer.separator.models.spec import read_spec

pytestmark = pytest.mark.attack

SHA256 = "a1" * 32
FACTS = {"stems": "2", "filters": "16,32"}
TENSORS = {
    "0/down/0/kernel": np.arange(2 * 3 * 4 * 8, dtype=np.float32).reshape(2, 3, 4, 8),
    "0/last/0/affine": np.arange(5, dtype=np.float32),
    "1/down/0/affine": np.ones((3, 16), np.float32),
}


def conversion() -> bytes:
    out = io.BytesIO()
    write_conversion(out, SHA256, FACTS, TENSORS)
    return out.getvalue()


WHOLE = conversion()
PREFIX = conversion_prefix(SHA256)
BEHIND = 8 + len(PREFIX) + 8  # where that begins which a checksum is of


def sealed(rest: bytes, length: bytes = WHOLE[:8]) -> bytes:
    """What somebody writes who knows the format: its checksum is right. rest: what stands behind that."""
    crc = google_crc32c.extend(google_crc32c.value(length), rest)
    return length + PREFIX + checksum_text(crc) + rest


def with_header(document: Any, data: bytes) -> bytes:
    """Any header that goes on as ours begins."""
    rest = b'"},' + json.dumps(document).encode()[1:]
    return sealed(rest + data, (len(PREFIX) + 8 + len(rest)).to_bytes(8, "little"))


@st.composite
def changed(draw: st.DrawFn, whole: bytes) -> bytes:
    """The bytes with some of them replaced, left out, repeated or put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 40))
        data[at : at + length] = draw(st.binary(max_size=40) | st.just(bytes(data[at : at + length]) * 2))
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


EXTENTS = st.integers(-(1 << 70), 1 << 70) | st.sampled_from([0, 1, 2, 5, 1 << 16, 1 << 32, 1 << 63]) | st.floats()
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | EXTENTS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=5),
    max_leaves=20,
)
ROWS = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F64", "I32", "F99"]),
        "shape": st.lists(EXTENTS, max_size=5) | JSON,
        "data_offsets": st.lists(EXTENTS, min_size=2, max_size=2) | st.just([0, 20]) | JSON,
    }
)
HEADERS = st.dictionaries(st.sampled_from(sorted(TENSORS)) | st.text(max_size=30), ROWS | JSON, max_size=4)


@given(
    changed(WHOLE)
    | st.binary(max_size=400)
    | st.builds(sealed, changed(WHOLE[BEHIND:]) | st.binary(max_size=300))
    | st.builds(sealed, st.just(WHOLE[BEHIND:]), st.binary(min_size=8, max_size=8))
    | st.builds(with_header, HEADERS | JSON, st.binary(max_size=300))
)
def test_a_conversion_is_mapped_or_refused(data: bytes) -> None:
    """What it gives are arrays of just what it holds."""
    with tempfile.TemporaryDirectory() as root:
        path = Path(root) / "model.native.safetensors"
        path.write_bytes(data)
        try:
            tensors = map_conversion(path, SHA256, FACTS)
        except OutOfDate:  # and nothing else
            return
        assert all(array.dtype == np.float32 and not array.flags.writeable for array in tensors.values())
        assert (
            b"".join(array.tobytes() for array in tensors.values())
            == data[len(data) - sum(array.nbytes for array in tensors.values()) :]
        )


@contextmanager
def checkpoint() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "2stems"
        folder.mkdir()
        (folder / "model.index").write_bytes(b"index")
        (folder / "model.data-00000-of-00001").write_bytes(b"data")
        yield folder


def refused_or(call: Callable[[], Any]) -> Any:
    """What it returns; None where it is refused in words."""
    try:
        return call()
    except Rejected as rejected:
        refusal = rejected
    assert refusal.code == Code.MODEL_UNAVAILABLE
    assert refusal.message.startswith("model 2stems: ")
    assert len(refusal.message) < 1000
    return None


@given(st.binary(max_size=200) | st.builds(lambda name: f'model_checkpoint_path: "{name}"\n'.encode(), st.text()))
def test_a_state_file_names_a_checkpoint_in_its_folder_or_none(state: bytes) -> None:
    """Wherever else it points to."""
    with checkpoint() as folder:
        (folder / "checkpoint").write_bytes(state)
        found = refused_or(lambda: checkpoint_files("2stems", folder))
        assert found is None or all(path.parent == folder for path in found[1])


@given(st.dictionaries(st.sampled_from(["F", "T", "model", "instrument_list", "mask_extension"]), JSON) | JSON)
def test_a_configuration_is_read_or_refused(params: Any) -> None:
    """Whatever its numbers are."""
    sound = {
        "model_dir": "2stems", "instrument_list": ["a", "b"], "sample_rate": 44100, "frame_length": 4096,
        "frame_step": 1024, "T": 512, "F": 1024, "separation_exponent": 2, "mask_extension": "zeros",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as root:
        path = Path(root) / "2stems.json"
        path.write_text(json.dumps(sound | params if isinstance(params, dict) else params))
        spec = refused_or(lambda: read_spec(path, folder=path.parent))
        assert spec is None or 0 < spec.frequency_bins <= spec.frame_length // 2 + 1


def entry(name: str, kind: bytes, size: int, link: str, content: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape") + content + bytes(-len(content) % 512)


NAMES = st.sampled_from(
    ["checkpoint", "model.index", "./model.index", "../evil", "/tmp/evil", "a/b", "model.data-00000-of-00001", ""]
) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
KINDS = st.sampled_from([bytes([kind]) for kind in b"01234567xgLKSXVNDMA\0"])
ENTRIES = st.lists(
    st.builds(
        entry, NAMES, KINDS, st.integers(0, 2000) | st.integers(0, 1 << 40), NAMES, st.binary(max_size=1100)
    ),
    max_size=4,
)  # fmt: skip
TAR = st.builds(lambda entries, end: b"".join(entries) + bytes(end), ENTRIES, st.sampled_from([0, 512, 1024, 10240]))


@given(st.builds(gzip.compress, TAR | changed(entry("checkpoint", b"0", 3, "", b"abc") + bytes(1024))) | st.binary())
def test_an_archive_is_unpacked_into_its_folder_or_refused(data: bytes) -> None:
    """As plain files, of no more than it may hold."""
    with tempfile.TemporaryDirectory() as root:
        archive, folder = Path(root) / "archive", Path(root) / "model"
        archive.write_bytes(data)
        with contextlib.suppress(BadArchive):  # and nothing else
            unpack(archive, folder, model="2stems")
        assert {path.name for path in Path(root).iterdir()} == {"archive", "model"}
        written = list(folder.iterdir())
        assert all(path.is_file() and not path.is_symlink() for path in written)
        assert sum(path.stat().st_size for path in written) <= LIMITS.of(len(data))
