"""What an MP4 file says of which of its samples are played, and lies of it."""

import tempfile
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.movie_edits import MOST_EDITS, Edit, edits_of
from harness.corpus.encoding import encode
from harness.corpus.movie_boxes import box, with_edits
from harness.corpus.signal import Signal

NAMES = (b"moov", b"trak", b"mdia", b"mdhd", b"mvhd", b"hdlr", b"edts", b"elst", b"stts", b"minf", b"stbl", b"meta")


def movie(path: Path, edits: list[tuple[int, int]]) -> Path:
    """Half a second at 44.1 kHz of a track that counts samples, in a movie that counts milliseconds."""
    encode(path, Signal(), "-c:a", "pcm_s16le", "-movie_timescale", "1000")
    path.write_bytes(with_edits(path.read_bytes(), edits))
    return path


def test_edits_are_told_in_seconds_of_both_clocks(tmp_path: Path) -> None:
    """ISO/IEC 14496-12, 8.6.6: durations by the movie's clock, starts by the track's; -1 is silence; 0 is all that is
    left, and what ends within a step of the movie's clock beside the track's end ends with it.
    """
    listed = [(100, 4410), (50, -1), (400, 4410), (0, 11025)]
    assert edits_of(movie(tmp_path / "a.mov", listed), 0, 44100) == (
        Edit(first_s=Fraction(1, 10), end_s=Fraction(1, 5), at_s=Fraction(0)),
        Edit(first_s=Fraction(1, 10), end_s=Fraction(1, 2), at_s=Fraction(3, 20)),
        Edit(first_s=Fraction(1, 4), end_s=None, at_s=Fraction(11, 20)),
    )


@pytest.mark.parametrize("edits", [[], [(500, -1)], [(500, -2)]])
def test_a_list_that_plays_nothing_is_left_to_ffmpeg(edits: list[tuple[int, int]], tmp_path: Path) -> None:
    assert edits_of(movie(tmp_path / "a.mov", edits), 0, 44100) == ()


def test_too_many_edits_are_refused(tmp_path: Path) -> None:
    """Each would take a start of ffmpeg."""
    edits_of(movie(tmp_path / "a.mov", [(1, 0)] * MOST_EDITS), 0, 44100)
    with pytest.raises(Rejected) as caught:
        edits_of(movie(tmp_path / "b.mov", [(1, 0)] * (MOST_EDITS + 1)), 0, 44100)
    assert caught.value.code is Code.AUDIO_UNDECODABLE


def test_a_track_that_is_not_there_has_no_edits(tmp_path: Path) -> None:
    assert edits_of(movie(tmp_path / "a.mov", [(500, 0)]), 1, 44100) == ()


@settings(deadline=None)
@given(st.recursive(st.binary(max_size=40), lambda inner: st.builds(box, st.sampled_from(NAMES), inner), max_leaves=9))
def test_whatever_lies_in_a_file_it_is_looked_at(data: bytes) -> None:
    """Boxes in any order, cut and nested as they may be, end in edits or in none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.mov"
        for content in (data, box(b"moov", data), data[: len(data) // 2]):
            path.write_bytes(content)
            assert isinstance(edits_of(path, 0, 44100), tuple)


@pytest.fixture(scope="module")
def sound() -> bytes:
    """A file with an edit list."""
    with tempfile.TemporaryDirectory() as folder:
        return movie(Path(folder) / "a.mov", [(500, 0)]).read_bytes()


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(0, 255))
def test_a_byte_that_is_wrong_ends_in_edits_or_in_none(sound: bytes, place: int, value: int) -> None:
    """Any byte of a sound file's boxes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mov"
        end = len(sound) - place
        path.write_bytes(sound[: end - 1] + bytes([value]) + sound[end:])
        with suppress(Rejected):  # more of them than are followed
            assert len(edits_of(path, 0, 44100)) <= MOST_EDITS
