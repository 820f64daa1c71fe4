"""A few samples at another rate."""

import numpy as np
import pytest

from consumer.separator.audio.short_sound import resampled

SAMPLES = np.random.default_rng(1).normal(size=(20, 2)).astype(np.float32)


def test_between_the_samples_lie_others() -> None:
    """At twice the rate each second sample is one of the sound itself: Shannon's interpolation goes through them."""
    assert np.allclose(resampled(SAMPLES, from_hz=22050, to_hz=44100)[::2], SAMPLES, atol=1e-6)


@pytest.mark.parametrize(("count", "from_hz", "left"), [(1, 48000, 1), (1, 192000, 1), (20, 96000, 9), (3, 8000, 17)])
def test_it_lasts_as_long_and_is_never_nothing(count: int, from_hz: int, left: int) -> None:
    assert resampled(SAMPLES[:count], from_hz=from_hz, to_hz=44100).shape == (left, 2)


def test_what_the_lower_rate_can_not_hold_is_left_out() -> None:
    """A tone near half of the higher rate vanishes where the lower one has no place for it."""
    tone = np.repeat(np.where(np.arange(400) % 2, 1.0, -1.0)[:, None], 2, axis=1).astype(np.float32)
    assert np.abs(resampled(tone, from_hz=96000, to_hz=44100)[20:-20]).max() < 0.05
