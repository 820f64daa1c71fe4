"""Every kind of file that comes in and goes out, through a real separator process."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumer.core.model import Separation
from harness.audio import RATE_HZ, error_db, music, pcm16, similarity
from harness.files import Samples, decode_file, describe, encode_file, write_float_wav
from tests.separator.jobs import Harness

SONG_S = 3.0
# Masks sum to one, so with a share of the high frequencies the stems sum to what was decoded.
SAME_DB = -90.0
VIDEO = ("-f", "lavfi", "-i", f"testsrc=size=64x64:rate=5:duration={SONG_S}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input file: how ffmpeg writes it, and what the separator should find in it."""

    extension: str
    container: str
    args: Sequence[str] = ()
    rate_hz: int = 44100
    channels: int = 2


KINDS = {
    "mp3": Kind("mp3", "mp3"),
    "flac": Kind("flac", "flac"),
    "wav": Kind("wav", "wav"),
    "m4a": Kind("m4a", "mov"),
    "ogg": Kind("ogg", "ogg", ("-c:a", "libvorbis")),
    "opus": Kind("opus", "ogg", rate_hz=48000),
    "aiff": Kind("aiff", "aiff"),
    "webm-video": Kind("webm", "matroska", (*VIDEO, "-c:v", "libvpx", "-c:a", "libopus"), rate_hz=48000),
    "mp4-video": Kind("mp4", "mov", (*VIDEO, "-c:v", "mpeg4", "-c:a", "aac")),
    "8-khz": Kind("wav", "wav", ("-ar", "8000"), rate_hz=8000),
    "48-khz": Kind("mp3", "mp3", ("-ar", "48000"), rate_hz=48000),
    "192-khz": Kind("flac", "flac", ("-ar", "192000"), rate_hz=192000),
    "mono": Kind("mp3", "mp3", ("-ac", "1"), channels=1),
    "24-bit": Kind("wav", "wav", ("-c:a", "pcm_s24le")),
}


@pytest.fixture(scope="module")
def song() -> Samples:
    return music(seconds=SONG_S, seed=7)


def sum_of_stems(separation: Separation) -> Samples:
    first, *others = (decode_file(stem.path) for stem in separation.stems)
    return sum(others, first)


def mix_of(separator: Harness, path: Path, **options: Any) -> Samples:
    """What the separator decoded: the sum of what it made of it."""
    return sum_of_stems(separator.separate(path, format="wav-f32", high_frequencies="average", **options))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_input_is_decoded_whole(kind: Kind, separator: Harness, song: Samples, tmp_path: Path) -> None:
    """The stems sum to just what the file holds, at 44.1 kHz, and the file is described as it is."""
    path = encode_file(tmp_path / f"song.{kind.extension}", song, args=kind.args)
    separation = separator.separate(path, format="wav-f32", high_frequencies="average")
    decoded = np.broadcast_to(decode_file(path, channels=kind.channels), (separation_samples(separation), 2))
    assert similarity(decoded, song) > 0.9
    assert error_db(sum_of_stems(separation), decoded) < SAME_DB
    assert separation.audio.format == kind.container
    assert (separation.audio.sample_rate_hz, separation.audio.channels) == (kind.rate_hz, kind.channels)
    assert separation.audio.duration_s == pytest.approx(SONG_S, abs=0.1)


def separation_samples(separation: Separation) -> int:
    return round(separation.audio.duration_s * RATE_HZ)


@pytest.mark.parametrize("extension", ["wav", "flac", "m4a", "ac3"])
def test_the_centre_of_surround_sound_survives(extension: str, separator: Harness, tmp_path: Path) -> None:
    """A voice that is on the centre channel of 5.1 alone is heard on both sides."""
    voice = music(seconds=2, seed=3).mean(axis=1)
    channels = np.zeros((len(voice), 6), np.float32)
    channels[:, 2] = voice
    mix = mix_of(separator, encode_file(tmp_path / f"film.{extension}", channels))
    for side in (0, 1):
        heard = mix[:, side : side + 1]
        assert similarity(heard, voice[:, None]) > 0.9
        assert np.linalg.norm(heard) > 0.25 * np.linalg.norm(voice)


def test_thirty_two_channels_are_all_heard(separator: Harness, tmp_path: Path) -> None:
    """Of channels without a layout, even ones go left and odd ones right, and none is lost."""
    frequencies_hz = 200 + 100 * np.arange(32)
    t = np.arange(RATE_HZ)[:, None] / RATE_HZ
    tones = (0.5 * np.sin(2 * np.pi * frequencies_hz * t)).astype(np.float32)
    separation_mix = mix_of(separator, encode_file(tmp_path / "stage.wav", tones))
    level = np.abs(np.fft.rfft(separation_mix, axis=0))[frequencies_hz] / (RATE_HZ / 2)  # one bin a hertz
    assert level[::2, 0] == pytest.approx(0.5 / 16, rel=0.05)
    assert level[1::2, 1] == pytest.approx(0.5 / 16, rel=0.05)
    assert level[1::2, 0].max() < 1e-3
    assert level[::2, 1].max() < 1e-3


@pytest.fixture(scope="module")
def exact(separator: Harness, song: Samples, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Samples]:
    """The song's stems as floats, by name."""
    path = write_float_wav(tmp_path_factory.mktemp("exact") / "song.wav", song)
    return {stem.name: decode_file(stem.path) for stem in separator.separate(path, format="wav-f32").stems}


@pytest.mark.parametrize(
    ("format", "extension", "codec", "largest_error"),
    [
        ("wav", "wav", "pcm_s16le", 0.51 / 2**15),
        ("wav-s24", "wav", "pcm_s24le", 1.01 / 2**23),
        ("wav-f32", "wav", "pcm_f32le", 0.0),
        ("flac", "flac", "flac", 0.51 / 2**15),
    ],
)
def test_lossless_output_is_exact(
    format: str,
    extension: str,
    codec: str,
    largest_error: float,
    separator: Harness,
    exact: dict[str, Samples],
    song: Samples,
    tmp_path: Path,
) -> None:
    """Each stem has the track's length and rate, and its samples but for a step of 24 bits or half a step of 16."""
    separation = separator.separate(write_float_wav(tmp_path / "song.wav", song), format=format)
    assert {stem.path.name for stem in separation.stems} == {f"{name}.{extension}" for name in exact}
    for stem in separation.stems:
        found = describe(stem.path)
        assert (found.codec, found.rate_hz, found.layout) == (codec, RATE_HZ, "stereo")
        decoded = decode_file(stem.path)
        assert decoded.shape == song.shape
        assert np.abs(decoded - exact[stem.name]).max() <= largest_error
        assert stem.duration_s == pytest.approx(SONG_S)
        assert stem.peak == pytest.approx(np.abs(exact[stem.name]).max())


@pytest.mark.parametrize(
    ("format", "codec", "rate_hz"),
    [
        ("mp3", "mp3", 44100),
        ("ogg", "vorbis", 44100),
        ("m4a", "aac", 44100),
        ("opus", "opus", 48000),
    ],
)
def test_lossy_output_keeps_to_its_bitrate(
    format: str, codec: str, rate_hz: int, separator: Harness, exact: dict[str, Samples], song: Samples, tmp_path: Path
) -> None:
    """Each stem sounds as it should, in the right codec; four times the bitrate takes at least twice the bytes."""
    path = write_float_wav(tmp_path / "song.wav", song)
    sizes = {}
    for bitrate in ("48k", "192k"):
        separation = separator.separate(path, format=format, bitrate=bitrate)
        assert {stem.path.name for stem in separation.stems} == {f"{name}.{format}" for name in exact}
        sizes[bitrate] = sum(stem.path.stat().st_size for stem in separation.stems)
    assert sizes["192k"] > 2 * sizes["48k"]
    for stem in separation.stems:
        found = describe(stem.path)
        assert (found.codec, found.rate_hz, found.layout) == (codec, rate_hz, "stereo")
        decoded = decode_file(stem.path)
        assert len(decoded) / RATE_HZ == pytest.approx(SONG_S, abs=0.15)
        assert similarity(decoded, exact[stem.name]) > 0.95


@pytest.mark.parametrize(("bitrate", "kbps"), [(None, 128), ("256k", 256), ("96000", 96)])
def test_mp3_has_the_bitrate_asked_for(
    bitrate: str | None, kbps: int, separator: Harness, song: Samples, tmp_path: Path
) -> None:
    """A bitrate may be written 256k or 96000; without one it is Spleeter's 128k."""
    separation = separator.separate(write_float_wav(tmp_path / "song.wav", song), format="mp3", bitrate=bitrate)
    assert [describe(stem.path).bitrate_kbps for stem in separation.stems] == [kbps] * 2


def test_clipping_is_counted(separator: Harness, song: Samples, tmp_path: Path) -> None:
    """A stem's peak and its samples beyond full scale are reported as they were before a 16-bit file cut them off."""
    path = write_float_wav(tmp_path / "loud.wav", 20 * song)
    floats = {stem.name: decode_file(stem.path) for stem in separator.separate(path, format="wav-f32").stems}
    for stem in separator.separate(path, format="wav").stems:
        wanted = floats[stem.name]
        assert stem.clipped_samples == np.count_nonzero(np.abs(wanted) > 1) > 0
        assert stem.peak == pytest.approx(np.abs(wanted).max())
        assert np.array_equal(pcm16(decode_file(stem.path)), pcm16(wanted))


@pytest.mark.parametrize("extension", ["wav", "mp3", "m4a"])
@pytest.mark.parametrize(
    ("start_s", "duration_s"), [(1.25, 0.5), (None, 0.75), (2.5, None), (2.5, 60.0), (0.0, 1 / RATE_HZ)]
)
def test_a_span_is_cut_to_the_sample(
    extension: str, start_s: float | None, duration_s: float | None, separator: Harness, song: Samples, tmp_path: Path
) -> None:
    """start_s and duration_s choose the very samples that they name, in every format."""
    path = encode_file(tmp_path / f"song.{extension}", song)
    first = round((start_s or 0) * RATE_HZ)
    last = None if duration_s is None else first + round(duration_s * RATE_HZ)
    wanted = decode_file(path)[first:last]
    mix = mix_of(separator, path, start_s=start_s, duration_s=duration_s)
    assert error_db(mix, wanted) < SAME_DB
