"""Samples as a second decoder, libsndfile, reads them: containers larger than their bits, byte orders, channels."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.decode import Decoder
from consumer.separator.audio.wave_header import wave_codec
from harness.audio import RATE_HZ, music
from harness.files import Samples
from tests.separator.jobs import FFMPEG

_GUID = bytes.fromhex("000000001000800000aa00389b71")
_COUNT = 5000
CONTAINERS = [
    (container, valid) for container in (8, 16, 24, 32) for valid in (4, 8, 12, 16, 20, 24, 32) if valid <= container
]

WRITTEN = [
    (container, subtype, endian)
    for container in ("WAV", "WAVEX", "W64", "RF64", "AIFF", "AU", "CAF")
    for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
    for endian in ("LITTLE", "BIG")
    if soundfile.check_format(container, subtype, endian)
]
# ffmpeg opens no little-endian AU, and of little-endian AIFF only what Apple defined: 16 bits.
REFUSED = {which for which in WRITTEN if which[0] in ("AU", "AIFF") and which[2] == "LITTLE"} - {
    ("AIFF", "PCM_16", "LITTLE"),
    ("AIFF", "PCM_32", "LITTLE"),
}


def decoded(path: Path) -> Samples:
    with Decoder(FFMPEG, path, rate_hz=RATE_HZ, max_s=60.0) as decoder:
        return decoder.read(2 * _COUNT)


def signal(channels: int = 2) -> Samples:
    return np.random.default_rng(9).uniform(-0.5, 0.5, (_COUNT, channels)).astype(np.float32)


def packed(samples: Samples, container: int, valid: int) -> bytes:
    """Little-endian integers of `valid` bits, at the upper end of their containers."""
    values = np.round(samples * 2 ** (valid - 1)).astype(np.int64) << (container - valid)
    if container == 8:
        return bytes((values + 128).astype(np.uint8).tobytes())
    return bytes(values.astype("<i8").reshape(-1, 1).view(np.uint8)[:, : container // 8].tobytes())


def write_extensible(path: Path, data: bytes, *, container: int, valid: int, magic: bytes = b"RIFF") -> Path:
    """A stereo WAVE_FORMAT_EXTENSIBLE file of integers; with `magic` RF64 its sizes stand in a ds64 chunk."""
    step = 2 * container // 8
    form = struct.pack("<HHIIHHHHIH", 0xFFFE, 2, RATE_HZ, RATE_HZ * step, step, container, 22, valid, 3, 1) + _GUID
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    size, total = len(data), 4 + len(chunks) + 8 + len(data)
    if magic == b"RF64":
        sizes = struct.pack("<QQQI", total + 36, size, _COUNT, 0)
        chunks = b"ds64" + struct.pack("<I", len(sizes)) + sizes + chunks
        size = total = 0xFFFFFFFF
    riff = magic + struct.pack("<I", total) + b"WAVE"
    path.write_bytes(riff + chunks + b"data" + struct.pack("<I", size) + data)
    return path


@pytest.mark.parametrize("magic", [b"RIFF", b"RF64"])
@pytest.mark.parametrize(("container", "valid"), CONTAINERS)
def test_the_container_decides(tmp_path: Path, container: int, valid: int, magic: bytes) -> None:
    """Valid bits are the upper ones of their container: what was packed is decoded, as libsndfile does it."""
    source = signal()
    data = packed(source, container, valid)
    path = write_extensible(tmp_path / "song.wav", data, container=container, valid=valid, magic=magic)
    found = decoded(path)
    assert found.shape == source.shape
    assert np.abs(found - source).max() <= 0.51 / 2 ** (valid - 1)
    assert np.abs(found - soundfile.read(path)[0]).max() < 1e-6


@pytest.mark.parametrize(("container", "bits"), [(32, 24), (24, 20), (16, 12), (32, 32)])
@pytest.mark.parametrize("frame_is_right", [True, False])
def test_plain_headers_are_read_as_by_libsndfile(
    tmp_path: Path, container: int, bits: int, frame_is_right: bool
) -> None:
    """Without an extension a sample is as large as its bits ask for, whatever the frame's size is said to be, but for
    24 bits in frames of 4 bytes a channel.
    """
    data = packed(signal(), container, bits)
    step = 2 * container // 8 if frame_is_right else 1
    form = struct.pack("<HHIIHH", 1, 2, RATE_HZ, RATE_HZ * step, step, bits)
    path = tmp_path / "song.wav"
    riff = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVE"
    path.write_bytes(riff + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data)
    if frame_is_right:
        assert np.abs(decoded(path) - soundfile.read(path)[0]).max() < 1e-6
    else:
        assert wave_codec(path) is None  # ffmpeg's own choice


@pytest.mark.parametrize(("container", "subtype", "endian"), WRITTEN)
def test_byte_orders(tmp_path: Path, container: str, subtype: str, endian: str) -> None:
    """What libsndfile writes in either byte order is read as libsndfile reads it, or refused with a reason."""
    path = tmp_path / f"song.{container.lower()}"
    soundfile.write(path, signal(), RATE_HZ, format=container, subtype=subtype, endian=endian)
    if (container, subtype, endian) in REFUSED:
        with pytest.raises(Rejected) as caught:
            decoded(path)
        assert caught.value.code is Code.AUDIO_UNDECODABLE
    else:
        assert np.abs(decoded(path) - soundfile.read(path)[0]).max() < 1e-6


def test_a_header_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    """Frames that hold no whole container for each channel are no samples; the reason says which."""
    path = write_extensible(tmp_path / "song.wav", bytes(6000), container=32, valid=24)
    data = bytearray(path.read_bytes())
    data[32:34] = struct.pack("<H", 7)  # block_align
    path.write_bytes(data)
    with pytest.raises(Rejected, match="frames of 7 bytes for 2 channels of 24 bits") as caught:
        decoded(path)
    assert caught.value.code is Code.AUDIO_UNDECODABLE


@pytest.mark.parametrize("container", ["WAV", "AIFF", "AU", "CAF", "W64"])
@pytest.mark.parametrize("channels", [3, 4, 5, 6, 7, 8, 12, 16, 24])
def test_channels_without_names_are_all_heard(tmp_path: Path, container: str, channels: int) -> None:
    """Even ones left and odd ones right, in equal parts, whatever layout their number suggests."""
    tones = np.sin(2 * np.pi * (300 + 100 * np.arange(channels)) * np.arange(RATE_HZ)[:, None] / RATE_HZ)
    path = tmp_path / f"song.{container.lower()}"
    soundfile.write(path, 0.5 * tones, RATE_HZ, format=container, subtype="PCM_16")
    with Decoder(FFMPEG, path, rate_hz=RATE_HZ, max_s=60.0) as decoder:
        heard = decoder.read(RATE_HZ)
    for side in (0, 1):
        expected = 0.5 * tones[:, side::2].mean(axis=1)
        assert np.abs(heard[:, side] - expected).max() < 1e-3


def test_a_reason_is_the_same_each_time(tmp_path: Path) -> None:
    """It holds no address and no path."""
    path = tmp_path / "song.mp3"
    path.write_bytes(np.random.default_rng(3).bytes(5000))
    reasons = set()
    for _ in range(3):
        with pytest.raises(Rejected) as caught:
            decoded(path)
        reasons.add(caught.value.message)
    assert len(reasons) == 1
    assert "0x" not in reasons.pop()


def test_music_in_24_of_32_bits_is_the_music(tmp_path: Path) -> None:
    """Loudness and shape are those of what was packed."""
    source = music(seconds=0.1)[:_COUNT] * np.float32(0.5)
    path = write_extensible(tmp_path / "song.wav", packed(source, 32, 24), container=32, valid=24)
    assert np.abs(decoded(path)[: len(source)] - source).max() < 2**-22
