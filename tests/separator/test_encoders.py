"""What encoders are given, and what becomes of it: bitrates, short and loud tracks, and whose fault a failure is."""

from pathlib import Path

import mutagen
import numpy as np
import pytest

from consumer.core.catalog import FORMATS
from consumer.core.errors import Code, Rejected
from consumer.separator.audio.encode import Encoding
from consumer.separator.audio.stem_writer import stem_writer
from harness.audio import RATE_HZ
from harness.files import Samples, decode_file
from tests.separator.jobs import FFMPEG

LOSSY = {name: output.bitrates for name, output in FORMATS.items() if output.bitrates}
NOISE_S = 5.0  # noise needs all the bits that there are


def noise(samples: int, peak: float = 1.0) -> Samples:
    return np.random.default_rng(5).uniform(-peak, peak, (samples, 2)).astype(np.float32)


def encoded(folder: Path, format: str, samples: Samples, *, bitrate: str | None = None, rate_hz: int = RATE_HZ) -> Path:
    path = folder / f"stem.{FORMATS[format].extension}"
    with stem_writer(FFMPEG, path, Encoding(format=format, rate_hz=rate_hz, bitrate=bitrate)) as encoder:
        encoder.write(samples)
        encoder.finish()
    return path


def edges() -> list[tuple[str, int]]:
    """Each format's lowest and highest bitrate, and all steps of those that have steps."""
    return [
        (name, bps)
        for name, bitrates in LOSSY.items()
        for bps in bitrates.steps_bps or (bitrates.lowest_bps, 128_000, bitrates.highest_bps)
    ]


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
@pytest.mark.parametrize(("format", "bps"), edges())
def test_a_bitrate_is_what_the_file_has(tmp_path: Path, format: str, bps: int, rate_hz: int) -> None:
    """Each bitrate that may be asked for is taken, and mutagen finds it in the file.

    MP3 and AAC hold to it. Vorbis names it in its header, as its nominal one (Vorbis I, 4.2.2). Opus names none,
    varies around it by design, and never takes more than what its packets can hold (RFC 6716: 510 kb/s).
    """
    path = encoded(tmp_path, format, noise(int(NOISE_S * rate_hz)), bitrate=str(bps), rate_hz=rate_hz)
    info = mutagen.File(path).info
    assert info.length == pytest.approx(NOISE_S, abs=0.2)
    if format == "opus":
        assert 0.6 * bps < path.stat().st_size * 8 / NOISE_S < min(1.35 * bps, 520_000)
    else:
        assert info.bitrate == pytest.approx(bps, rel=0.05)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("peak", [1.0, 4.0, 1e3, 1e6])
def test_no_level_is_too_loud(tmp_path: Path, format: str, peak: float) -> None:
    """Whatever the decoder lets through can be written, and is heard."""
    bitrates = FORMATS[format].bitrates
    for bitrate in (None, str(bitrates.highest_bps)) if bitrates else (None,):
        assert np.abs(decode_file(encoded(tmp_path, format, noise(RATE_HZ, peak), bitrate=bitrate))).max() > 0.5


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "flac"])
@pytest.mark.parametrize("count", [1, 2, 15])
def test_few_samples_are_enough(tmp_path: Path, format: str, count: int) -> None:
    """A track of a few samples can be written."""
    assert encoded(tmp_path, format, noise(count)).stat().st_size > 0


@pytest.mark.parametrize("count", [16, 17, 4608, 4609, 4623])
def test_flac_holds_from_sixteen_samples(tmp_path: Path, count: int) -> None:
    """Sixteen are a block's least (RFC 9639, 9.1.3); a last block may have fewer."""
    assert len(decode_file(encoded(tmp_path, "flac", noise(count)))) == count


@pytest.mark.parametrize("count", [1, 2, 15])
def test_fewer_than_a_flac_block_are_the_requests_fault(tmp_path: Path, count: int) -> None:
    """It is told before the encoder fails, and what to change."""
    with pytest.raises(Rejected, match=f"flac holds no fewer than 16 samples, and there are {count}") as caught:
        encoded(tmp_path, "flac", noise(count))
    assert caught.value.code is Code.REQUEST_INVALID


@pytest.mark.parametrize(
    ("format", "samples", "reason"),
    [
        ("m4a", np.full((RATE_HZ, 2), np.nan, np.float32), "Input contains (near) NaN/+-Inf"),
    ],
)
def test_audio_that_an_encoder_fails_at_is_to_blame(tmp_path: Path, format: str, samples: Samples, reason: str) -> None:
    """Where the same encoder writes silence, the audio is why it fails; the encoder's first words are told."""
    bitrates = FORMATS[format].bitrates
    assert bitrates
    with pytest.raises(Rejected) as caught:
        encoded(tmp_path, format, samples, bitrate=str(bitrates.lowest_bps))
    assert caught.value.code is Code.AUDIO_UNDECODABLE
    assert caught.value.message == f"a stem of it can't be written as {format}: {reason}"
    assert [path.stem for path in tmp_path.iterdir()] == ["stem"]


@pytest.mark.parametrize("format", ["m4a", "wav"])
def test_an_encoder_that_never_works_is_ours(tmp_path: Path, format: str) -> None:
    """Where not even silence can be written, this deployment is to blame."""
    with pytest.raises(Rejected) as caught:
        encoded(tmp_path / "missing", format, noise(RATE_HZ))
    assert caught.value.code is Code.SEPARATION_FAILED


@pytest.mark.parametrize("format", ["mp3", "wav"])
def test_a_full_disk_is_ours(tmp_path: Path, format: str) -> None:
    """A device without space is told as what it is, though silence may still fit."""
    (tmp_path / f"stem.{format}").symlink_to("/dev/full")
    with pytest.raises(Rejected, match="No space left on device") as caught:
        encoded(tmp_path, format, noise(20 * RATE_HZ))
    assert caught.value.code is Code.SEPARATION_FAILED
