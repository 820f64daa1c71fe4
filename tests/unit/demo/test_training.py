"""What the demo's model is trained on."""

from pathlib import Path

import numpy as np
import pytest

from demo.songs import STEMS
from demo.training.material import BINS, FRAME_LENGTH, FRAME_STEP, batches

FRAMES = 4
SAMPLES = 3 * FRAME_LENGTH + FRAMES * FRAME_STEP


@pytest.fixture
def songs(tmp_path: Path) -> list[Path]:
    """Two files of stems, of noise."""
    paths = [tmp_path / f"{number}.npy" for number in range(2)]
    for number, path in enumerate(paths):
        rng = np.random.default_rng(number)
        np.save(path, rng.integers(-3000, 3000, (len(STEMS), SAMPLES, 2)).astype(np.int16))
    return paths


def test_batches_are_a_pure_function_of_the_seed(songs: list[Path]) -> None:
    """The same seed gives the same crops and mixes, another seed others."""
    first, again, other = (next(batches(songs, size=2, frames=FRAMES, remixed=0.5, seed=seed)) for seed in (1, 1, 2))
    assert first.mix.shape == first.aligned.shape == (2, FRAMES, BINS, 2)
    np.testing.assert_array_equal(first.mix, again.mix)
    assert not np.array_equal(first.mix, other.mix)


def test_aligned_is_what_a_mask_should_leave(songs: list[Path]) -> None:
    """Vocals and accompaniment, each along the mix, add up to it, and neither is longer than its own magnitude."""
    batch = next(batches(songs, size=2, frames=FRAMES, remixed=0.5, seed=3))
    rest = batch.mix - batch.aligned
    assert (np.abs(batch.aligned) <= batch.vocals * 1.001 + 1e-3).all()
    assert (np.abs(rest) <= batch.accompaniment * 1.001 + 1e-3).all()
    # What is left over is across the mix: as much of the one stem as of the other.
    np.testing.assert_allclose(
        batch.vocals**2 - batch.aligned**2, batch.accompaniment**2 - rest**2, atol=1.0, rtol=1e-2
    )
