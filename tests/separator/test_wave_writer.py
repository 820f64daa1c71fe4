"""WAVE files of our own against those of ffmpeg and libsndfile."""

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from consumer.core.catalog import FORMATS
from consumer.separator.audio.encode import Encoding
from consumer.separator.audio.ffmpeg import bundled_binary
from consumer.separator.audio.stem_writer import stem_writer
from consumer.separator.audio.tags import Tags
from consumer.separator.audio.wave_writer import WaveWriter
from harness.audio import RATE_HZ
from harness.files import Samples
from tests.separator.jobs import FFMPEG

PLAIN = [name for name, output in FORMATS.items() if output.is_plain]
TAGS = {
    "title": "Söng",
    "artist": "An",
    "album": "A",
    "album_artist": "B",
    "track": "3/9",
    "date": "2020",
    "genre": "x",
}


def rough(samples: int) -> Samples:
    """Noise that clips, and the edges of integers."""
    noise = np.random.default_rng(4).normal(0, 0.6, (samples, 2)).astype(np.float32)
    edges = np.array([1.0, -1.0, 0.5 / 32768, 1.5 / 32768], np.float32)[:samples]
    noise[: len(edges), 0] = edges
    return noise


def written(folder: Path, format: str, samples: Samples) -> Path:
    path = folder / "vocals.wav"
    with stem_writer(FFMPEG, path, Encoding(format=format, rate_hz=RATE_HZ, tags=Tags(texts=TAGS))) as writer:
        for start in range(0, len(samples), 7777):
            writer.write(samples[start : start + 7777])
        writer.finish()
    return path


def by_ffmpeg(folder: Path, format: str, samples: Samples) -> Path:
    path = folder / "ffmpeg.wav"
    texts = {**TAGS, "title": "Söng (vocals)"}
    metadata = [word for name, text in texts.items() for word in ("-metadata", f"{name}={text}")]
    subprocess.run(
        [
            *(bundled_binary(), "-v", "error", "-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2", "-i", "pipe:0"),
            *(*metadata, *FORMATS[format].encoder_args(None), "-y", str(path)),
        ],
        input=samples.tobytes(), check=True, timeout=60,
    )  # fmt: skip
    return path


def chunks(path: Path) -> dict[bytes, bytes]:
    """Of a RIFF file by their names, read as the specification has it; that its size is told right goes with it."""
    data = path.read_bytes()
    magic, size, kind = struct.unpack("<4sI4s", data[:12])
    assert (magic, size, kind) == (b"RIFF", len(data) - 8, b"WAVE")
    found, at = {}, 12
    while at < len(data):
        name, length = struct.unpack("<4sI", data[at : at + 8])
        found[name] = data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    assert at == len(data)
    return found


@pytest.mark.parametrize("format", PLAIN)
@pytest.mark.parametrize("samples", [1, 7777, 100_001])
def test_a_file_says_what_ffmpegs_says(tmp_path: Path, format: str, samples: int) -> None:
    """The same samples to the bit, header and tags, but for ffmpeg's own name."""
    ours = chunks(written(tmp_path, format, rough(samples)))
    theirs = chunks(by_ffmpeg(tmp_path, format, rough(samples)))
    listed = theirs.pop(b"LIST")
    assert ours.pop(b"LIST") == listed[: listed.index(b"ISFT")]
    assert ours == theirs


@pytest.mark.parametrize(("format", "subtype"), [("wav", "PCM_16"), ("wav-s24", "PCM_24"), ("wav-f32", "FLOAT")])
def test_libsndfile_reads_it(tmp_path: Path, format: str, subtype: str) -> None:
    """A second reader finds the samples that were written, to half a step of what the format holds."""
    samples = rough(50_001)
    path = written(tmp_path, format, samples)
    assert soundfile.info(path).subtype == subtype
    found, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
    wanted = samples if subtype == "FLOAT" else samples.clip(-1, 1)
    step = {"PCM_16": 2.0**-15, "PCM_24": 2.0**-23, "FLOAT": 0.0}[subtype]
    assert (rate_hz, found.shape) == (RATE_HZ, samples.shape)
    assert np.abs(found - wanted).max() <= step


@pytest.mark.parametrize(("samples", "magic"), [((1 << 30) - 100, b"RIFF"), (1 << 30, b"RF64"), (3 << 30, b"RF64")])
def test_a_file_of_many_gigabytes_tells_its_length(tmp_path: Path, samples: int, magic: bytes) -> None:
    """As RF64 where 32 bits can't. The samples are a hole in the file."""
    path = tmp_path / "vocals.wav"
    with WaveWriter(path, Encoding(format="wav", rate_hz=RATE_HZ), "pcm_s16le") as writer:
        writer._samples = samples
        writer._file.truncate(path.stat().st_size + 4 * samples)
        writer.finish()
    with path.open("rb") as file:
        assert file.read(4) == magic
    assert soundfile.info(path).frames == samples
    told = subprocess.run(
        [bundled_binary(), "-hide_banner", "-i", str(path)], capture_output=True, text=True, timeout=60, check=False
    ).stderr
    hours, minutes, seconds = told.partition("Duration: ")[2].split(",")[0].split(":")
    found_s = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    assert found_s == pytest.approx(samples / RATE_HZ, abs=0.01)
