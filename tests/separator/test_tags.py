"""Tags and loudness: what the stems carry besides their samples."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from pyebur128 import MeasurementMode, R128State, get_loudness_global, get_loudness_window
from spleeter_kernels import Layers, available
from spleeter_kernels import Weighting as KernelWeighting

from consumer.separator.audio.loudness import Loudness
from consumer.separator.audio.meter import Meter
from consumer.separator.audio.probe import probe
from consumer.separator.dsp.by_scipy import WeightingByScipy
from consumer.separator.dsp.network import Network
from consumer.separator.dsp.weighting import Weighting, power, weighting_filters
from consumer.separator.track import TrackOrder, separate_track
from harness.audio import RATE_HZ, music
from tests.separator.jobs import FFMPEG

LYRICS = "\\\n".join(f"line {number} of many" for number in range(1500))
METADATA = f";FFMETADATA1\ntitle=S\u00f3ng \\= one\nartist=The Artist\\; and friends\nalbum=LP\nlyrics={LYRICS}\n"


def run(*arguments: str) -> str:
    """What an ffmpeg that has everything says."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120).stderr


def tagged(path: Path, picture: str | None) -> Path:
    """Three seconds with tags, lyrics of 1500 lines, and, where the format has one, a picture."""
    tags = path.with_suffix(".ffmetadata")
    tags.write_text(METADATA)
    options = ["-f", "lavfi", "-i", "sine=440:d=3", "-i", str(tags)]
    maps = ["-map", "0:a", "-map_metadata", "1"]
    if picture:
        cover = path.with_suffix(f".{picture}")
        run("-f", "lavfi", "-i", "testsrc=size=32x32:rate=1", "-frames:v", "1", str(cover))
        options += ["-i", str(cover)]
        maps += ["-map", "2:v", "-c:v", "copy", "-disposition:v", "attached_pic"]
    run(*options, *maps, str(path))
    return path


@pytest.mark.parametrize(("name", "picture"), [("a.mp3", "jpg"), ("a.flac", "png"), ("a.ogg", None), ("a.m4a", "jpg")])
@pytest.mark.parametrize("format", ["mp3", "flac", "m4a", "ogg", "opus", "wav"])
def test_stems_carry_the_tags(network: Network, tmp_path: Path, name: str, picture: str | None, format: str) -> None:
    """Title (with the stem's name), artist, album and picture of any input are on the stems of any format."""
    source = tagged(tmp_path / name, picture)
    folder = tmp_path / "stems"
    folder.mkdir()
    separation = separate_track(TrackOrder(path=source, folder=folder, format=format), network, FFMPEG)
    for stem in separation.stems:
        found = probe(FFMPEG, stem.path).tags
        assert found.texts["title"] == f"S\u00f3ng = one ({stem.name})"
        assert found.texts["artist"] == "The Artist; and friends"
        assert found.texts["album"] == "LP"
        codec = {"jpg": "mjpeg", "png": "png", None: None}[picture if format in ("mp3", "flac", "m4a") else None]
        assert (found.cover.codec if found.cover else None) == codec
    assert {path.name for path in folder.iterdir()} == {stem.path.name for stem in separation.stems}


def test_untagged_file_gets_the_stems_name_alone(network: Network, tmp_path: Path) -> None:
    """Where the input says nothing, the stem's title is its name, and nothing else is made up."""
    run("-f", "lavfi", "-i", "sine=440:d=1", str(tmp_path / "plain.wav"))
    separation = separate_track(TrackOrder(path=tmp_path / "plain.wav", folder=tmp_path, format="mp3"), network, FFMPEG)
    assert [probe(FFMPEG, stem.path).tags.texts for stem in separation.stems] == [
        {"title": "vocals"},
        {"title": "accompaniment"},
    ]


def test_tags_of_chapters_are_not_the_files(tmp_path: Path) -> None:
    """A chapter's title is not taken for the song's."""
    chapters = tmp_path / "chapters.ffmetadata"
    chapters.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle=One\n")
    run("-f", "lavfi", "-i", "sine=440:d=1", "-i", str(chapters), "-map_chapters", "1", str(tmp_path / "song.mka"))
    assert "title           : One" in run("-i", str(tmp_path / "song.mka"))
    assert probe(FFMPEG, tmp_path / "song.mka").tags.texts == {}


def by_kernels(instruction_set: str) -> Callable[[int], Weighting]:
    return lambda rate_hz: KernelWeighting(Layers(instruction_set), weighting_filters(rate_hz), rate_hz // 10)


WEIGHTINGS = {"scipy": WeightingByScipy, **{name: by_kernels(name) for name in available()}}
EACH_WEIGHTING = pytest.mark.parametrize("weighting", WEIGHTINGS.values(), ids=WEIGHTINGS)


@EACH_WEIGHTING
def test_loudness_is_ffmpegs(weighting: Callable[[int], Weighting], tmp_path: Path) -> None:
    """Integrated loudness is that of ffmpeg's own meter, however the samples are cut into blocks."""
    samples = music(seconds=12.0, seed=3)
    meter = Meter(weighting(RATE_HZ))
    for start in range(0, len(samples), 50_001):
        meter.add(samples[start : start + 50_001])
    raw = tmp_path / "samples.f32"
    raw.write_bytes(samples.tobytes())
    printed = run("-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2", "-i", str(raw), "-af", "ebur128", "-f", "null", "-")
    theirs = re.findall(r"I:\s+(-?[\d.]+) LUFS", printed)[-1]
    assert meter.loudness_lufs == pytest.approx(float(theirs), abs=0.05)  # it says one digit


@EACH_WEIGHTING
@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000, 192_000])
def test_each_tenth_of_a_second_is_the_librarys(weighting: Callable[[int], Weighting], rate_hz: int) -> None:
    """The power that libebur128 finds in it, at any rate and however the samples are cut into blocks."""
    rng = np.random.default_rng(rate_hz)
    samples = rng.normal(size=(2 * rate_hz, 2)).astype(np.float32)
    ours, theirs = weighting(rate_hz), R128State(2, rate_hz, MeasurementMode.MODE_M)
    found: list[float] = []
    left = samples
    while len(left):
        block, left = np.split(left, [rng.integers(1, 30_000)])
        found.extend(ours(block))
    expected = []
    for tenth in np.split(samples, 20):
        theirs.add_frames(tenth.reshape(-1), len(tenth))
        expected.append(power(get_loudness_window(theirs, 100)))
    assert found == pytest.approx(expected, rel=1e-9)


@EACH_WEIGHTING
def test_gates_are_the_librarys(weighting: Callable[[int], Weighting]) -> None:
    """Quiet and silent passages count, or don't, exactly as in libebur128 where it remembers every block."""
    rng = np.random.default_rng(7)
    for _ in range(20):
        levels = np.repeat(10 ** rng.uniform(-5, 0, size=20), RATE_HZ // 2)[: 10 * RATE_HZ - int(rng.integers(RATE_HZ))]
        samples = (levels[:, None] * rng.normal(size=(len(levels), 2))).astype(np.float32)
        ours, theirs = Loudness(weighting(RATE_HZ)), R128State(2, RATE_HZ, MeasurementMode.MODE_I)
        theirs.add_frames(samples.reshape(-1), len(samples))
        while len(samples):
            block, samples = np.split(samples, [rng.integers(1, 30_000)])
            ours.add(block)
        assert ours.integrated_lufs() == pytest.approx(get_loudness_global(theirs), abs=1e-9)


@pytest.mark.parametrize("samples", [1, 1024, 100_000, 2_500_001])
def test_overview_is_of_equal_spans(samples: int) -> None:
    """An overview holds the peak of each of at most 1600 equal spans, however the samples are cut into blocks."""
    rng = np.random.default_rng(samples)
    track = rng.normal(size=(samples, 2)).astype(np.float32)
    meter = Meter(WeightingByScipy(RATE_HZ))
    left = track
    while len(left):
        block, left = np.split(left, [rng.integers(1, 70_000)])
        meter.add(block)
    span = 1024
    while samples >= 1600 * span:
        span *= 2
    levels = np.abs(track).max(axis=1)
    expected = [float(levels[start : start + span].max()) for start in range(0, samples, span)]
    assert meter.overview == pytest.approx(expected, abs=1e-4)


def test_silence_has_no_loudness() -> None:
    """Silence, and what is shorter than a block, has no loudness rather than a number that means nothing."""
    silent, short = Meter(WeightingByScipy(RATE_HZ)), Meter(WeightingByScipy(RATE_HZ))
    silent.add(0 * music(seconds=3.0))
    short.add(music(seconds=0.1))
    assert (silent.loudness_lufs, short.loudness_lufs) == (None, None)
