"""Audio files for tests: made and described with imageio-ffmpeg's, which can write all kinds, and read with the ffmpeg
that the separator uses.
"""

import re
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from consumer.separator.audio.ffmpeg import bundled_binary
from harness.audio import RATE_HZ

Samples = NDArray[np.float32]

_AUDIO = re.compile(r"Stream #0:\d+.*?: Audio: (\w+).*?, (\d+) Hz, ([^,]+), (\w+)(?:.*?, (\d+) kb/s)?")


def ffmpeg(*args: str, feed: bytes = b"", binary: str | None = None) -> bytes:
    """Run ffmpeg, which must succeed; returns what it wrote to stdout. binary: imageio-ffmpeg's if None."""
    command = [binary or imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y", *args]
    done = subprocess.run(command, input=feed, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout


def encode_file(path: Path, samples: Samples, *, args: Sequence[str] = (), rate_hz: int = RATE_HZ) -> Path:
    """Write float32 (samples, channels) as the extension or `args` (ffmpeg's output options) say; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = ("-f", "f32le", "-ar", str(rate_hz), "-ac", str(samples.shape[1]), "-i", "pipe:0")
    ffmpeg(*source, *args, f"file:{path}", feed=np.ascontiguousarray(samples, "<f4").tobytes())
    return path


def write_float_wav(path: Path, samples: Samples, *, rate_hz: int = RATE_HZ) -> Path:
    """Write float32 (samples, channels) as a WAV file that holds exactly these numbers; returns the path."""
    return write_wav(path, samples.astype("<f4").tobytes(), rate_hz=rate_hz, channels=samples.shape[1], bits=32)


def write_wav(
    path: Path, data: bytes, *, rate_hz: int, channels: int, bits: int, claimed_bytes: int | None = None
) -> Path:
    """Write a WAV file around `data`, floats if `bits` is 32; its header claims `claimed_bytes` of it. Returns path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = len(data) if claimed_bytes is None else claimed_bytes
    step = channels * bits // 8
    form = struct.pack(
        "<HHIIHH", 3 if bits == 32 else 1, channels, rate_hz, rate_hz * step & 0xFFFFFFFF, step & 0xFFFF, bits
    )
    riff = b"RIFF" + struct.pack("<I", min(size + 36, 0xFFFFFFFF)) + b"WAVE"
    path.write_bytes(riff + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size) + data)
    return path


def decode_file(path: Path, *, rate_hz: int = RATE_HZ, channels: int = 2, args: Sequence[str] = ()) -> Samples:
    """The first audio stream as float32 (samples, channels) at rate_hz; `args` are ffmpeg's output options."""
    options = ("-map", "0:a:0", *args, "-ar", str(rate_hz), "-ac", str(channels), "-f", "f32le", "pipe:1")
    decoded = ffmpeg("-i", f"file:{path}", *options, binary=bundled_binary())
    return np.frombuffer(decoded, "<f4").reshape(-1, channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What ffmpeg says of a file's audio. `bitrate_kbps` is None where it does not say."""

    codec: str
    rate_hz: int
    layout: str
    sample_format: str
    bitrate_kbps: int | None


def describe(path: Path) -> Described:
    """The file's one audio stream."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", f"file:{path}"]
    said = subprocess.run(command, capture_output=True, check=False, timeout=120).stderr.decode("utf-8", "replace")
    [(codec, rate_hz, layout, sample_format, kbps)] = _AUDIO.findall(said)
    return Described(
        codec=codec,
        rate_hz=int(rate_hz),
        layout=layout,
        sample_format=sample_format,
        bitrate_kbps=int(kbps) if kbps else None,
    )
