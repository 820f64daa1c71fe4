"""Checkpoints read without TensorFlow, held against TensorFlow's own reader, byte by byte where they are damaged."""

import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from consumer.core.errors import Code, Rejected
from consumer.separator.models.bundle import BadBundle, open_bundle
from consumer.separator.models.checkpoint import read_tensors
from harness import bundles

DEMO = Path(__file__).parents[2] / "demo" / "weights" / "2stems"
DATA = "model.data-00000-of-00001"
VALUES = np.arange(6, dtype=np.float32)

Tensors = dict[str, NDArray[np.float32]]


def by_tensorflow(folder: Path) -> Tensors:
    reader = tf.train.load_checkpoint(str(folder / "model"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def assert_same(got: Tensors, wanted: Tensors) -> None:
    assert got.keys() == wanted.keys()
    for name, values in got.items():
        assert values.dtype == np.float32
        assert np.array_equal(values, wanted[name])


def refused_or(folder: Path) -> Tensors | None:
    """What is read; None where it is refused as a model that can't be had, in one line that tells no path."""
    try:
        return read_tensors("2stems", folder)
    except Rejected as rejected:
        refusal = rejected
    assert refusal.code == Code.MODEL_UNAVAILABLE
    assert refusal.message.startswith("model 2stems: ")
    assert "\n" not in refusal.message
    assert str(folder) not in refusal.message
    assert len(refusal.message) < 400
    return None


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A copy of the demonstration's weights."""
    return Path(shutil.copytree(DEMO, tmp_path / "2stems"))


def test_the_demonstrations_weights_are_read_as_tensorflow_reads_them() -> None:
    """All that Spleeter's networks are made of, and the step beside them is left."""
    wanted = by_tensorflow(DEMO)
    del wanted["global_step"]
    assert_same(read_tensors("2stems", DEMO), wanted)


@pytest.mark.parametrize(("name", "count"), [("2stems", 148), ("4stems", 296)])
def test_full_size_weights_are_read_as_tensorflow_reads_them(full_models: Path, name: str, count: int) -> None:
    """74 tensors a stem."""
    got, wanted = read_tensors(name, full_models / name), by_tensorflow(full_models / name)
    del wanted["global_step"]
    assert len(got) == count
    assert_same(got, wanted)


def test_a_bundle_of_several_parts_and_many_blocks_is_read(tmp_path: Path) -> None:
    """As TensorFlow merges those that several workers have written; names share their beginnings."""
    wanted: Tensors = {}
    rng, prefixes = np.random.default_rng(1), []
    for part in range(3):
        names = [f"conv2d_{part * 1000 + number}/kernel" for number in range(1000)]
        values = {
            name: rng.normal(size=(1, 2, 1, number % 3 + 1)).astype(np.float32) for number, name in enumerate(names)
        }
        prefixes.append(str(tmp_path / f"part-{part}"))
        tf.raw_ops.SaveV2(
            prefix=prefixes[-1],
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[tf.constant(values[name]) for name in names],
        )
        wanted |= values
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=prefixes, destination_prefix=str(tmp_path / "model"))
    assert (tmp_path / "model.data-00002-of-00003").exists()
    assert_same(read_tensors("2stems", tmp_path), wanted)
    (tmp_path / "model.data-00001-of-00003").unlink()
    with pytest.raises(Rejected, match=r"model\.data-00001-of-00003 is missing"):
        read_tensors("2stems", tmp_path)


@pytest.mark.attack
def test_each_byte_of_an_index_counts(demo: Path) -> None:
    """Whichever is another: the checkpoint is refused in words, or read as it was."""
    index, wanted = demo / "model.index", read_tensors("2stems", demo)
    whole, refused = index.read_bytes(), 0
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= random.Random(at).randrange(1, 256)
        index.write_bytes(damaged)
        got = refused_or(demo)
        refused += got is None
        if got is not None:
            assert_same(got, wanted)
    assert refused > len(whole) // 2


@pytest.mark.attack
def test_an_index_cut_short_anywhere_is_refused(demo: Path) -> None:
    """In its footer byte by byte."""
    index = demo / "model.index"
    whole = index.read_bytes()
    for length in (*range(0, len(whole), 11), *range(len(whole) - 64, len(whole))):
        index.write_bytes(whole[:length])
        assert refused_or(demo) is None, length


@pytest.mark.attack
def test_bytes_of_the_data_count_where_they_are_a_networks(demo: Path) -> None:
    """Of a hundred places by chance; a cut is one that lies beyond the end."""
    data, wanted, rng = demo / DATA, read_tensors("2stems", demo), random.Random(3)
    whole = data.read_bytes()
    with open_bundle(demo / "model") as bundle:
        step = bundle.entries["global_step"]
    for _ in range(100):
        at = rng.randrange(len(whole))
        with data.open("r+b") as file:
            file.seek(at)
            file.write(bytes([whole[at] ^ rng.randrange(1, 256)]))
        got = refused_or(demo)
        assert (got is not None) == (step.offset <= at < step.offset + step.size_bytes)
        if got is not None:
            assert_same(got, wanted)
        with data.open("r+b") as file:
            file.seek(at)
            file.write(whole[at : at + 1])
    data.write_bytes(whole[: len(whole) // 2])
    assert refused_or(demo) is None


def kernel(row: bytes, head: bytes | None = None) -> bytes:
    return bundles.index_of({"conv2d/kernel": row}, head)


def block_of(rows: list[tuple[bytes, bytes]], **how: Any) -> bytes:
    return bundles.table([(b"z", bundles.block(rows, **how))])


RAW = VALUES.tobytes()
ROW = bundles.entry((6,), RAW)
MADE_UP: dict[str, tuple[bytes, str]] = {
    "compressed with Snappy": (block_of([(b"", b"")], kind=bundles.SNAPPY), "Snappy"),
    "of an unknown kind": (block_of([(b"", b"")], kind=7), "unknown kind 7"),
    "empty": (b"", "cut short, or no table"),
    "without a header": (bundles.table([(b"a", bundles.block([(b"a", ROW)]))]), "no header"),
    "without data": (kernel(ROW, bundles.header(0)), "no data"),
    "of a million parts": (kernel(ROW, bundles.header(1_000_000)), "can't be"),
    "big-endian": (kernel(ROW, bundles.header(1, bundles.number(2, 1))), "big-endian"),
    "of a later format": (kernel(ROW, bundles.number(1, 1) + bundles.message(3, bundles.number(2, 2))), "later format"),
    "of another part": (kernel(bundles.entry((6,), RAW, shard=1)), "no part 1 of its 1"),
    "beyond the data": (kernel(bundles.entry((6,), RAW, offset=8)), "beyond the end"),
    "at the end of all numbers": (kernel(bundles.entry((6,), RAW, offset=(1 << 63) - 1)), "beyond the end"),
    "past the end of all numbers": (kernel(bundles.entry((6,), RAW, offset=(1 << 64) - 1)), "can't be"),
    "of a terabyte": (kernel(bundles.entry((1 << 38,), RAW)), "larger than any"),
    "of another size": (kernel(bundles.entry((5,), RAW)), "not what its shape takes"),
    "of nothing": (kernel(bundles.entry((0,), b"")), "has shape [0]"),
    "of two dimensions": (kernel(bundles.entry((2, 3), RAW)), "has shape [2, 3]"),
    "of no dimension": (kernel(bundles.entry((), RAW[:4])), "has shape []"),
    "of a thousand dimensions": (kernel(bundles.entry((1,) * 1000, RAW[:4])), "more than 8"),
    "of a size below nothing": (kernel(bundles.entry(((1 << 64) - 1,), RAW)), "can't be"),
    "float64": (kernel(bundles.entry((3,), RAW, dtype=2)), "type float64, not float32"),
    "float16": (kernel(bundles.entry((12,), RAW, dtype=19)), "type float16, not float32"),
    "text": (kernel(bundles.entry((6,), RAW, dtype=7)), "type string, not float32"),
    "in slices": (kernel(ROW + bundles.message(7, b"")), "in slices"),
    "with another checksum": (kernel(ROW[:-4] + bytes(4)), "another checksum"),
    "said twice": (kernel(ROW + bundles.number(4, 0)), "one thing twice"),
    "in a group": (kernel(ROW + bytes([8 << 3 | 3])), "unknown kind"),
    "without a field's number": (kernel(ROW + b"\0\0"), "no number"),
    "with a field cut short": (kernel(ROW + bundles.varint(9 << 3 | 2) + b"\x7f"), "cut short"),
    "with a number without end": (kernel(ROW + bundles.varint(9 << 3) + b"\xff" * 20), "too long"),
    "with a name that is no text": (block_of([(b"", bundles.header()), (b"\xff", ROW)]), "no text"),
    "with a name of a megabyte": (bundles.index_of({"a" * (1 << 20): ROW}), "longer than 512"),
    "with a name twice": (bundles.table([(b"a", bundles.block([(b"a", ROW)]))] * 2), "not in order"),
    "with twenty thousand names": (bundles.index_of({f"n{i:06d}": b"" for i in range(20_000)}), "more than 16384"),
    "with places of keys beyond it": (block_of([(b"", b"")], restarts=(0, 99)), "damaged"),
    "with more places than bytes": (bundles.table([(b"z", bundles.sealed(b"\xff\xff\xff\x7f"))]), "cut short"),
    "with an empty block": (bundles.table([(b"z", bundles.sealed(b""))]), "cut short"),
}  # fmt: skip


@pytest.mark.attack
@pytest.mark.parametrize(("index", "told"), MADE_UP.values(), ids=MADE_UP)
def test_an_index_that_lies_is_refused_in_words(tmp_path: Path, index: bytes, told: str) -> None:
    """Though all of its checksums are right."""
    (tmp_path / "model.index").write_bytes(index)
    (tmp_path / DATA).write_bytes(RAW)
    with pytest.raises(Rejected) as refusal:
        read_tensors("2stems", tmp_path)
    assert told in refusal.value.message
    assert refused_or(tmp_path) is None


def test_an_index_made_by_hand_is_read(tmp_path: Path) -> None:
    """By both, so that what is refused is refused for what was changed."""
    bundles.write_bundle(tmp_path, {"conv2d/kernel": VALUES, "conv2d/bias": VALUES + 1})
    assert_same(read_tensors("2stems", tmp_path), {"conv2d/bias": VALUES + 1, "conv2d/kernel": VALUES})
    assert_same(by_tensorflow(tmp_path), {"conv2d/bias": VALUES + 1, "conv2d/kernel": VALUES})


@pytest.mark.attack
@pytest.mark.parametrize("name", ["model.index", DATA])
@pytest.mark.parametrize("what", ["folder", "pipe", "huge"])
def test_what_is_no_file_of_a_checkpoint_is_refused(demo: Path, name: str, what: str) -> None:
    """At once, and nothing is waited for."""

    path = demo / name
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        with path.open("wb") as sparse:
            sparse.truncate(1 << 40)
    assert refused_or(demo) is None


BYTES = st.binary(max_size=60)
FIELDS = st.builds(bundles.number, st.integers(1, 9), st.integers(0, (1 << 64) - 1)) | st.builds(
    bundles.message, st.integers(1, 9), BYTES
)
ROWS = st.just(ROW) | st.lists(FIELDS, max_size=6).map(b"".join) | st.builds(
    bundles.entry, st.lists(st.integers(0, 7), max_size=4), st.just(RAW), dtype=st.integers(0, 3),
    offset=st.integers(0, 9),
)  # fmt: skip


@pytest.mark.attack
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(["conv2d/kernel", "conv2d/bias", "global_step"]), ROWS, max_size=3))
def test_what_is_read_is_what_tensorflow_reads(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, bytes]
) -> None:
    """Whatever an index says whose checksums are right: nothing is read here that TensorFlow reads otherwise."""
    folder = tmp_path_factory.mktemp("made-up")
    (folder / "model.index").write_bytes(bundles.index_of(rows))
    (folder / DATA).write_bytes(RAW)
    got = refused_or(folder)
    if got is not None:
        wanted = tf.train.load_checkpoint(str(folder / "model"))
        assert_same(got, {name: wanted.get_tensor(name) for name in got})


def test_opening_says_why_it_can_not(tmp_path: Path) -> None:
    """Where there is no index at all."""
    with pytest.raises(BadBundle, match=r"nothing\.index is missing"), open_bundle(tmp_path / "nothing"):
        pass
