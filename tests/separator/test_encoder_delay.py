"""Stems begin and end where the track does, to the sample, in every format that is offered, and for any length.

Judged by ffmpeg, and by decoders of others: libsndfile with libFLAC, libvorbis, libopus and mpg123; for m4a by the edit
list that ISO/IEC 14496-12 has players keep to, applied here to what is decoded without regard to it.
"""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from consumer.core.catalog import FORMATS
from consumer.separator.audio.encode import Encoding
from consumer.separator.audio.stem_writer import stem_writer
from harness.audio import RATE_HZ
from harness.files import Samples, decode_file, ffmpeg
from tests.separator.decoding import delay_of, noise
from tests.separator.jobs import FFMPEG

LENGTHS = (1, 16, 100, 576, 1023, 1024, 1025, 1152, 2047, 2048, 2049, 44_100, 44_101, 220_500)
SHORTEST = {"mp3": 47, "opus": 32, "flac": 16}  # what a file holds at least; the rest is silence
ONE_PAGE = 44_100  # of Vorbis; ffmpeg's own decoder errs by a block in files of one page, libvorbis does not
LONG_S = 5.0


def encoded(folder: Path, format: str, samples: Samples) -> Path:
    path = folder / f"stem.{FORMATS[format].extension}"
    with stem_writer(FFMPEG, path, Encoding(format=format, rate_hz=RATE_HZ)) as encoder:
        for start in range(0, len(samples), 7777):
            encoder.write(samples[start : start + 7777])
        encoder.finish()
    return path


def by_another(path: Path) -> tuple[Samples, int]:
    """The file's samples, float32 (samples, 2), and their rate, without ffmpeg's idea of where they begin and end."""
    if path.suffix != ".m4a":
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        return samples, rate_hz
    content = path.read_bytes()
    place = content.index(b"elst") + 4
    version, entries = content[place], struct.unpack_from(">I", content, place + 4)[0]
    assert (version, entries) == (0, 1)
    duration, skipped = struct.unpack_from(">Ii", content, place + 8)
    movie_hz = struct.unpack_from(">I", content, content.index(b"mvhd") + 16)[0]
    media_hz = struct.unpack_from(">I", content, content.index(b"mdhd") + 16)[0]
    assert media_hz == RATE_HZ
    raw = ffmpeg("-ignore_editlist", "1", "-i", str(path), *("-f", "f32le", "-ac", "2", "pipe:1"))
    samples = np.frombuffer(raw, "<f4").reshape(-1, 2)[skipped:]
    return samples[: round(duration * RATE_HZ / movie_hz)], media_hz


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("format", FORMATS)
def test_a_stem_is_as_long_as_the_track(format: str, count: int, tmp_path: Path) -> None:
    """By two decoders; at another rate, which is opus's, to the next sample of that rate."""
    if count < FORMATS[format].fewest_samples:
        return
    path = encoded(tmp_path, format, noise(LONG_S)[:count])
    wanted = max(count, SHORTEST.get(format, 0))
    samples, rate_hz = by_another(path)
    exact = wanted * rate_hz / RATE_HZ
    assert exact <= len(samples) <= exact + (rate_hz != RATE_HZ)
    if format != "ogg" or count >= ONE_PAGE:
        assert 0 <= len(decode_file(path, rate_hz=rate_hz)) - exact <= (rate_hz != RATE_HZ)


@pytest.mark.parametrize("format", FORMATS)
def test_a_stem_begins_with_the_track(format: str, tmp_path: Path) -> None:
    """No sample early or late, by both decoders, at the start, in the middle and at the end."""
    song = noise(LONG_S)
    path = encoded(tmp_path, format, song)
    found = [decode_file(path)]
    samples, rate_hz = by_another(path)
    if rate_hz == RATE_HZ:
        found.append(samples)
    for decoded in found:
        for start, count in ((0, 20_000), (100_000, 50_000), (len(song) - 20_000, 20_000)):
            assert delay_of(decoded, song, start=start, count=count) == 0


def test_opus_begins_with_the_track_at_its_own_rate(tmp_path: Path) -> None:
    """libopus's samples at 48 kHz, each taken at its own time, are the track's."""
    song = noise(LONG_S)
    samples, rate_hz = by_another(encoded(tmp_path, "opus", song))
    assert rate_hz == 48_000
    times = np.arange(len(song)) / RATE_HZ
    again = np.stack([np.interp(times, np.arange(len(samples)) / rate_hz, side) for side in samples.T], axis=1)
    assert delay_of(again.astype(np.float32), song, start=50_000, count=100_000) == 0
