"""Tags that imitate ffmpeg's words, put together at random, in a real file that a real ffmpeg reads."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.separator.audio.probe import Probe, probe
from consumer.separator.audio.tags import parse_sections, tags_of
from harness.files import ffmpeg
from tests.separator.jobs import FFMPEG

FRAGMENTS = st.sampled_from(
    [
        *("\n", "\r", "\n  ", "    ", ": ", ", ", "'", "\x1b[0m", "\b", "\v", "[STREAM]", "[CHAPTER]", "\\", "=", ";"),
        *("Input #0, ", "mp3", "mpegts, from 'file:", "  Duration: ", "99:59:59.00", "N/A", "start: 1.5", "bitrate"),
        *("  Stream #0:0", "  Stream #0:1(eng)", "Audio: ", "Video: ", "44100 Hz", "99999999999 Hz", "7.1", "s16"),
        *("  Program 1 x", "  Program 2 ", "  Chapters:", "    Chapter #0:0: ", "comment         : Cover (front)"),
        *("Metadata:", "(default)", "(attached pic)", "Estimating duration from bitrate", "100000000000 channels"),
    ]
)
WORDS = st.lists(FRAGMENTS | st.text(max_size=20), max_size=30).map("".join)


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fuzz") / "song.mp3"
    ffmpeg("-f", "lavfi", "-i", "sine=440:d=2:r=44100", "-id3v2_version", "0", str(path))
    return path


@pytest.fixture(scope="module")
def plain(song: Path) -> Probe:
    return probe(FFMPEG, song)


def tag_of(frames: list[tuple[str, str]]) -> bytes:
    """An ID3v2.4 tag of frames with these keys and values."""
    body = b""
    for key, value in frames:
        data = b"\3" + key.encode("utf-8", "replace") + b"\0" + value.encode("utf-8", "replace")
        body += b"TXXX" + syncsafe(len(data)) + b"\0\0" + data
    return b"ID3\4\0\0" + syncsafe(len(body)) + body


def syncsafe(size: int) -> bytes:
    return bytes(size >> shift & 127 for shift in (21, 14, 7, 0))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(WORDS, WORDS), max_size=8))
def test_no_words_move_what_is_known(song: Path, plain: Probe, frames: list[tuple[str, str]]) -> None:
    """Keys and values of any words: sound, format and track stay, and so does the length, unless it is not known."""
    path = song.with_name("words.mp3")
    path.write_bytes(tag_of(frames) + song.read_bytes())
    found = probe(FFMPEG, path)
    for fact in ("format", "track", "channels", "layout", "sample_rate_hz", "codec", "video_codecs"):
        assert getattr(found, fact) == getattr(plain, fact)
    assert found.duration_s in (plain.duration_s, None)
    assert found.clock.tracks == 1


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\n", b"=", b"\\", b"title=", b"[STREAM]"]), max_size=40))
def test_any_bytes_are_tags_or_none(parts: list[bytes]) -> None:
    """Bytes that ffmpeg might write of a file's tags are read to texts of bounded length."""
    file, *streams = parse_sections(b"".join(parts))
    texts = tags_of(file, streams[0] if streams else {})
    assert all(0 < len(text) <= 10_000 for text in texts.values())
