"""Plain files whose headers lie: what is read of them in place of the header, and what is left to ffmpeg."""

import struct
from pathlib import Path

import pytest

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.ffmpeg import FFmpeg, RawSamples, Section
from consumer.separator.audio.lying_header import without_lies

FFMPEG = FFmpeg(binary="ffmpeg", allowed_formats=("au", "wav", "aiff", "w64"))


def au(path: Path, size: int, data: bytes, *, encoding: int = 3, channels: int = 2) -> Path:
    path.write_bytes(b".snd" + struct.pack(">IIIIII", 28, size, encoding, 44100, channels, 0) + data)
    return path


@pytest.mark.parametrize("claimed", [400, 0xFFFFFFFF, 4000])
def test_what_ffmpeg_reads_rightly_is_left_to_it(tmp_path: Path, claimed: int) -> None:
    """A true size, one that is not known, and one that goes beyond the file."""
    assert without_lies(FFMPEG, au(tmp_path / "song.au", claimed, bytes(400))) == FFMPEG


@pytest.mark.parametrize(
    ("claimed", "length", "read"), [(0, 400, 400), (0, 403, 400), (200, 400, 200), (203, 400, 200)]
)
def test_whole_frames_are_read(tmp_path: Path, claimed: int, length: int, read: int) -> None:
    """All of the file where no size is told, else no more than is told."""
    found = without_lies(FFMPEG, au(tmp_path / "song.au", claimed, bytes(length)))
    assert found.raw == RawSamples(container="au", kind="s16be", rate_hz=44100, channels=2)
    assert found.section == Section(first=28, end=28 + read)


@pytest.mark.parametrize("encoding", [1, 2, 3, 4, 5, 6, 7, 27])
def test_frames_have_the_size_of_their_samples(tmp_path: Path, encoding: int) -> None:
    """Of each encoding, by Sun's list: bytes a sample."""
    sample_bytes = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}[encoding]
    found = without_lies(FFMPEG, au(tmp_path / "song.au", 0, bytes(240), encoding=encoding, channels=3))
    assert found.raw is not None
    assert found.raw.frame_bytes == 3 * sample_bytes


def test_a_header_without_samples_is_empty(tmp_path: Path) -> None:
    """And not something that ffmpeg does not recognise."""
    with pytest.raises(Rejected) as refusal:
        without_lies(FFMPEG, au(tmp_path / "song.au", 0, b""))
    assert refusal.value.code is Code.AUDIO_EMPTY


def test_formats_that_may_not_be_opened_stay_closed(tmp_path: Path) -> None:
    """Also where ffmpeg's own demuxer for them is not needed."""
    with pytest.raises(Rejected) as refusal:
        without_lies(FFmpeg(binary="ffmpeg", allowed_formats=("mp3",)), au(tmp_path / "song.au", 0, bytes(400)))
    assert refusal.value.code is Code.FORMAT_NOT_ALLOWED


@pytest.mark.parametrize(
    "begin", [b"", b".snd", b"RF64\0\0\0\0WAVE", b"FORM\0\0\0\0AIFF", b"ID3\3\0\0\0\0\0\1", b"FORM", b"riff"]
)
def test_what_is_no_whole_header_is_left_to_ffmpeg(tmp_path: Path, begin: bytes) -> None:
    """However short."""
    path = tmp_path / "song"
    path.write_bytes(begin)
    assert without_lies(FFMPEG, path) == FFMPEG


@pytest.mark.parametrize(
    ("mask", "channels", "layout"),
    [(0, 1, ["-ac", "1"]), (0, 2, ["-ac", "2"]), (0, 3, ["-ch_layout", "3C"]), (0x3F, 6, ["-ch_layout", "0x3f"]),
     (3, 6, ["-ch_layout", "6C"])],
)  # fmt: skip
def test_channels_are_named_where_the_file_does(mask: int, channels: int, layout: list[str]) -> None:
    """All of them, or none."""
    raw = RawSamples(container="wav", kind="s16le", rate_hz=8000, channels=channels, mask=mask)
    assert raw.input_args == ["-f", "s16le", "-ar", "8000", *layout]
