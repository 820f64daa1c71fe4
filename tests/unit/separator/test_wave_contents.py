"""What is told of WAVE files that hold no samples; tests/separator/test_corpus.py has those that can be heard."""

import re
import struct
from pathlib import Path

import pytest

from consumer.core.catalog import SOURCE_FORMATS
from consumer.core.errors import Code, Rejected
from consumer.separator.audio.decode import Decoder
from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.audio.wma_start import whole_wma
from harness.corpus.encoding import encode
from harness.corpus.riff import Layout, chunk, fmt, riff
from harness.corpus.signal import Signal

FFMPEG = FFmpeg(allowed_formats=SOURCE_FORMATS)
NO_FRAMES = bytes(range(1, 200)) * 50


def refusal(path: Path) -> Rejected:
    with pytest.raises(Rejected) as refused, Decoder(FFMPEG, path, rate_hz=44100, max_s=60.0) as decoder:
        decoder.read(1000)
    return refused.value


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (0x00FF, r"raw AAC in a WAVE file \(format 0x00ff\)"),
        (0x706D, r"raw AAC in a WAVE file \(format 0x706d\)"),
        (0x1610, r"raw AAC in a WAVE file \(format 0x1610\)"),
        (0x566F, r"raw Vorbis in a WAVE file \(format 0x566f\)"),
        (0x1601, r"raw AAC in a WAVE file \(format 0x1601\)"),
        (0xBEEF, "a WAVE file of format 0xbeef, which there is no decoder for"),
    ],
)
def test_what_can_not_be_read_is_named(kind: int, reason: str, tmp_path: Path) -> None:
    """Frames without sizes by their codec, unknown ones by their number."""
    path = tmp_path / "song.wav"
    path.write_bytes(riff(Layout(fmt=fmt(kind, 2, 44100, 16, frame_bytes=4, extra=bytes(2))), NO_FRAMES))
    refused = refusal(path)
    assert refused.code is Code.AUDIO_UNDECODABLE
    assert re.search(reason, refused.message), refused.message


def test_a_second_chunk_of_samples_is_told_of(tmp_path: Path) -> None:
    """Players play the first one alone."""
    part = chunk(b"data", NO_FRAMES)
    body = chunk(b"fmt ", fmt(1, 2, 44100, 16)) + part + part
    path = tmp_path / "song.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
    with Decoder(FFMPEG, path, rate_hz=44100, max_s=60.0) as decoder:
        assert len(decoder.read(44100)) == len(NO_FRAMES) // 4
        assert any("are left out" in told for told in decoder.warnings)


def test_other_encoders_wma_begins_as_ffmpeg_has_it(tmp_path: Path) -> None:
    """Microsoft's tells of its blocks, and of more options; and nothing is changed of what is no WMA."""
    path = encode(tmp_path / "song.wma", Signal(), "-c:a", "wmav2", "-b:a", "128k")
    args = ["-af", "anull"]
    assert whole_wma(args, path, None) != args
    own = path.read_bytes()
    place = own.index(b"\x61\x01\x02\x00") + 18
    assert own[place : place + 6] == b"\0\0\0\0\1\0"
    for options in (b"\x00\x88\0\0\x0f\0", b"\0\0\0\0\x0f\0", b"\x00\x88\0\0\1\0"):
        path.write_bytes(own[:place] + options + own[place + 6 :])
        assert whole_wma(args, path, None) == args
    path.write_bytes(riff(Layout(fmt=fmt(1, 2, 44100, 16)), NO_FRAMES))
    assert whole_wma(args, path, None) == args
