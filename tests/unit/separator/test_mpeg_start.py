"""Frames of MPEG audio of all layers, at the start of a file: their sizes, and which of them ffmpeg passes over."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.mp3 import HeaderNotFoundError, MPEGFrame

from consumer.core.catalog import SOURCE_FORMATS
from consumer.separator.audio.decode import Decoder
from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.audio.mpeg_start import frame_bytes, passed_over
from devstack.system import provide
from harness.corpus.decoders import PACKAGES, other

HEADS = [0xFFFD9000, 0xFFF59000, 0xFFE59000, 0xFFFF9000, 0xFFF79000, 0xFFFB9000, 0xFFF39000]


@pytest.mark.parametrize("second", [second for second in range(0xE0, 0x100) if second & 6 != 6], ids=hex)
def test_a_frame_is_as_long_as_mutagen_says(second: int) -> None:
    """Of every version and of layers II and III; of layer I it counts bytes four times, and mpg123 is asked below."""
    for third, mode in itertools.product(range(256), (0x00, 0x40, 0x80, 0xC0)):
        head = bytes([0xFF, second, third, mode])
        file = io.BytesIO(head + bytes(4000))
        try:
            MPEGFrame(file)
        except HeaderNotFoundError:
            assert frame_bytes(int.from_bytes(head, "big")) == 0, head.hex()
        else:
            assert frame_bytes(int.from_bytes(head, "big")) == file.tell(), head.hex()


def frames(*heads: int) -> bytes:
    return b"".join(head.to_bytes(4, "big") + bytes(frame_bytes(head) - 4) for head in heads)


def passed(data: bytes, begin: int = 0) -> int | None:
    return passed_over(io.BytesIO(data), begin, len(data))


@pytest.mark.parametrize("head", HEADS, ids=hex)
def test_what_is_unlike_the_next_is_passed_over(head: int) -> None:
    """Where mode, copyright, original or emphasis differ; padding and bit rate may, and junk may come before."""
    for bit in (0x80, 0x40, 0x08, 0x04, 0x01):
        assert passed(frames(head ^ bit, head, head, head)) == 0
        assert passed(b"no frame" + frames(head ^ bit, head, head, head)) == 8
        assert passed(bytes(5000) + frames(head ^ bit, head, head, head), 3000) == 5000
        assert passed(frames(head ^ bit, head)) == 0  # all that there is
        assert passed(frames(head, head, head ^ bit, head)) is None
    for bit in (0x200, 0x1000, 0x10):
        assert passed(frames(head ^ bit, head, head, head)) is None
    assert passed(frames(head ^ 0x40, head) + b"and something else") is None
    assert passed(b"") is None


@settings(deadline=None)
@given(st.lists(st.sampled_from([frames(head) for head in HEADS] + [b"\xff\xfb", b"\xff\xfd\x90", bytes(9)])))
def test_whatever_lies_there_it_is_looked_at(parts: list[bytes]) -> None:
    """A place within, or none."""
    data = b"".join(parts)
    place = passed(data)
    assert place is None or 0 <= place < len(data)


def layer_1(count: int) -> bytes:
    """Frames of noise in the lowest eight bands (ISO/IEC 11172-3, 2.4.1.5), at 384 kbit/s."""
    numbers, data = np.random.default_rng(1), b""
    for _ in range(count):
        bits = "".join("0100" * 2 if band < 8 else "0000" * 2 for band in range(32))  # five bits a sample
        bits += "".join(f"{scale:06b}" for scale in numbers.integers(12, 30, 16))
        bits += "".join(f"{sample:05b}" for sample in numbers.integers(0, 31, 12 * 16))
        size = frame_bytes(0xFFFFC000)
        data += b"\xff\xff\xc0\x00" + int(bits.ljust(8 * size - 32, "0"), 2).to_bytes(size - 4, "big")
    return data


def test_layer_1_is_heard_as_by_mpg123(tmp_path: Path) -> None:
    """Every sample of it, also of a first frame that is unlike the next."""
    provide(PACKAGES)
    plain = layer_1(40)
    for name, data in {"plain": plain, "unlike": plain[:3] + b"\x08" + plain[4:]}.items():
        path = tmp_path / f"{name}.mp1"
        path.write_bytes(data)
        with Decoder(FFmpeg(allowed_formats=SOURCE_FORMATS), path, rate_hz=44100, max_s=10.0) as decoder:
            heard = decoder.read(44100)
        wanted = other("mpg123", path).samples
        assert heard.shape == wanted.shape == (40 * 384, 2)
        assert np.abs(wanted).max() > 0.01
        assert np.abs(heard - wanted).max() < 1e-4
