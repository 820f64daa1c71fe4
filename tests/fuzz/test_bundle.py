"""Checkpoints that are made up: an index, and the bytes that it tells of, are read or refused in words."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.separator.models.bundle.errors import BadBundle
from consumer.separator.models.bundle.table import read_table
from consumer.separator.models.checkpoint import read_tensors
from harness import bundles
from tests.fuzz.test_checkpoint import changed, refused_or

pytestmark = pytest.mark.attack

RAW = np.arange(24, dtype=np.float32).tobytes()
ROWS = {"conv2d/kernel": bundles.entry((1, 2, 3, 4), RAW), "conv2d_1/bias": bundles.entry((3,), RAW[:12], offset=4)}
WHOLE = bundles.index_of(ROWS)
BLOCK = bundles.block([(b"", bundles.header()), *((name.encode(), row) for name, row in ROWS.items())])[:-5]

NUMBERS = st.sampled_from([0, 1, 4, 24, 96, 1 << 31, 1 << 32, (1 << 63) - 1, (1 << 64) - 1]) | st.integers(0, 100)
FIELDS = st.builds(bundles.number, st.integers(0, 9), NUMBERS) | st.builds(
    bundles.message, st.integers(0, 9), st.binary(max_size=20) | st.builds(bundles.number, st.integers(1, 3), NUMBERS)
)
MESSAGES = st.lists(FIELDS, max_size=7).map(b"".join) | st.sampled_from(list(ROWS.values())).flatmap(changed)
NAMES = st.sampled_from([*ROWS, "conv2d/bias", "global_step", "_CHECKPOINTABLE_OBJECT_GRAPH"]) | st.text(max_size=12)
# Checksums that are right, so that what lies behind them is reached.
TABLES = st.builds(
    bundles.index_of, st.dictionaries(NAMES, MESSAGES, max_size=4), st.none() | MESSAGES
) | st.lists(
    st.tuples(st.binary(max_size=4), changed(BLOCK).map(bundles.sealed) | st.binary(max_size=40).map(bundles.sealed)),
    max_size=3,
).map(bundles.table)  # fmt: skip
INDEXES = TABLES | changed(WHOLE) | TABLES.flatmap(changed) | st.binary(max_size=120)


@given(INDEXES, changed(RAW) | st.just(RAW))
def test_a_checkpoint_is_read_or_refused(index: bytes, data: bytes) -> None:
    """What it gives are values that stand in its data."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        (folder / "model.index").write_bytes(index)
        (folder / "model.data-00000-of-00001").write_bytes(data)
        tensors = refused_or(lambda: read_tensors("2stems", folder)) or {}
    assert all(values.tobytes() in data for values in tensors.values())


@given(INDEXES)
def test_a_table_gives_no_more_than_it_holds(index: bytes) -> None:
    """Keys in order, each once, and values that stand in it; or it is refused, and nothing else is raised."""
    try:
        rows = list(read_table(index))
    except BadBundle:
        return
    assert [key for key, _ in rows] == sorted({key for key, _ in rows})
    assert sum(len(value) for _, value in rows) < len(index)
    assert all(value in index for _, value in rows)
