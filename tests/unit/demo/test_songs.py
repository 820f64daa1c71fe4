"""The songs of the demo: made from a seed alone, and honest about their stems."""

import math

import numpy as np
import pytest

from demo.songs import STEMS, Song, make_song
from demo.songs.score import si_sdr

DURATION_S = 5.0


@pytest.fixture(scope="module")
def song() -> Song:
    return make_song(3, DURATION_S)


def test_a_song_is_a_pure_function_of_its_seed(song: Song) -> None:
    """The same seed gives the same samples; another seed another song."""
    again, other = make_song(3, DURATION_S), make_song(4, DURATION_S)
    assert again.title == song.title
    for stem in STEMS:
        np.testing.assert_array_equal(again.stems[stem], song.stems[stem])
    assert not np.array_equal(other.mix, song.mix)


def test_shapes_and_range(song: Song) -> None:
    """Everything is float32 stereo at 44100 Hz, as long as asked, within -1..1."""
    for samples in (song.mix, *song.stems.values()):
        assert samples.dtype == np.float32
        assert samples.shape == (round(DURATION_S * song.rate_hz), 2)
        assert np.isfinite(samples).all()
    assert np.abs(song.mix).max() <= 1.0


def test_the_stems_add_up_to_the_mix(song: Song) -> None:
    """Exactly, in float32: no sample of the mix comes from elsewhere."""
    total = np.zeros_like(song.mix)
    for stem in STEMS:
        total += song.stems[stem]
    np.testing.assert_array_equal(total, song.mix)
    np.testing.assert_allclose(song.truth("vocals") + song.truth("accompaniment"), song.mix, atol=1e-6)


def test_no_stem_is_silent_and_the_singer_breathes(song: Song) -> None:
    """Each stem is heard; the vocals begin after an introduction."""
    for samples in song.stems.values():
        assert np.sqrt(np.mean(samples**2)) > 0.003
    assert np.abs(song.stems["vocals"][: song.rate_hz // 2]).max() < 0.001


@pytest.mark.parametrize("seed", range(10, 13))
def test_vocals_are_neither_buried_nor_alone(seed: int) -> None:
    """The vocals have between a third and all of the accompaniment's energy, roughly."""
    song = make_song(seed, DURATION_S)
    vocals, rest = (float(np.mean(song.truth(name) ** 2)) for name in ("vocals", "accompaniment"))
    assert -5 < 10 * math.log10(vocals / rest) < 2


def test_si_sdr_of_known_errors() -> None:
    """Noise at a tenth of the amplitude, at right angles to the truth, is 20 dB; the scale does not count."""
    t = np.arange(1000) / 1000
    truth, error = np.sin(2 * np.pi * 5 * t), np.cos(2 * np.pi * 5 * t)
    assert si_sdr(truth + 0.1 * error, truth) == pytest.approx(20.0)
    assert si_sdr(7 * (truth + 0.1 * error), truth) == pytest.approx(20.0)
    assert si_sdr(truth + error, truth) == pytest.approx(0.0, abs=1e-6)
    stereo = np.stack([truth, truth], axis=1)
    assert si_sdr(stereo + 0.01 * np.stack([error, -error], axis=1), stereo) == pytest.approx(40.0)


def test_si_sdr_at_its_limits() -> None:
    """Perfect is infinite, silence as an estimate is no number or minus infinity, a silent truth has no ratio."""
    truth = np.array([1.0, -1.0, 0.5])
    assert si_sdr(truth, truth) == math.inf
    assert math.isnan(si_sdr(truth, np.zeros(3)))
    with pytest.raises(ValueError, match="length"):
        si_sdr(truth, truth[:2])
