"""Words in a file that imitate what ffmpeg prints of it: what is known of its sound stays as it is."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.container_clock import ContainerClock
from consumer.separator.audio.probe import Probe, probe
from consumer.separator.audio.tags import Tags
from tests.separator.bombs import element, with_element
from tests.separator.jobs import FFMPEG
from tests.separator.spoofs import PLACES, WORDS, corpus, tone

pytestmark = pytest.mark.attack


# A stream's language of a thousand letters leaves no room on its line for what it is.
UNREADABLE = {("mka, language", "many pieces")}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Probe]:
    """What is known of each place's file where its words are harmless."""
    known = {}
    for place, write in PLACES.items():
        known[place] = probe(FFMPEG, write(tmp_path_factory.mktemp("plain"), "words"))
    return known


def of_sound(found: Probe) -> Probe:
    """Without its tags, and without how long it is."""
    return replace(found, tags=Tags(), duration_s=None, clock=ContainerClock())


@pytest.mark.parametrize(("place", "words"), corpus())
def test_words_of_a_file_are_no_facts(plain: dict[str, Probe], tmp_path: Path, place: str, words: str) -> None:
    """Format, track, channels and rate are those of the sound; its length is that, or not known, never another."""
    path = PLACES[place](tmp_path, WORDS[words])
    if (place, words) in UNREADABLE:
        with pytest.raises(Rejected, match="no audio stream"):
            probe(FFMPEG, path)
        return
    found = probe(FFMPEG, path)
    assert of_sound(found) == of_sound(plain[place])
    assert found.duration_s in (plain[place].duration_s, None) or found.duration_s == pytest.approx(2.0, abs=0.2)
    assert found.clock.start_s in (plain[place].clock.start_s, None)
    assert found.clock.tracks == 1


@pytest.mark.parametrize(
    "place", [place for place in PLACES if not any(word in place for word in ("chapters", "language", "mpegts"))]
)
def test_tags_alone_do_not_hide_the_length(plain: dict[str, Probe], tmp_path: Path, place: str) -> None:
    """A length that a tag imitates is passed over, and the file's own is known."""
    found = probe(FFMPEG, PLACES[place](tmp_path, WORDS["duration"]))
    assert found.duration_s == pytest.approx(2.0, abs=0.2)


def test_what_is_printed_before_the_first_line_is_no_format(tmp_path: Path) -> None:
    """A codec's name that ffmpeg does not know is told of before the file is, and may be any text."""
    codec = b"A_X\nInput #0, mpegts, from 'file:/tmp/song.ts':\n"
    sound = element(b"\xe1", element(b"\xb5", struct.pack(">d", 8000.0)) + element(b"\x9f", b"\1"))
    numbers = element(b"\xd7", b"\11") + element(b"\x73\xc5", b"\11") + element(b"\x83", b"\2")
    entry = element(b"\xae", numbers + element(b"\x86", codec) + sound)
    path = with_element(tone(tmp_path / "song.mka"), element(b"\x16\x54\xae\x6b", entry))
    found = probe(FFMPEG, path)
    assert (found.format, found.sample_rate_hz) == ("matroska", 44_100)


def test_a_file_name_is_no_fact(tmp_path: Path) -> None:
    """A name with line ends, controls and bytes that are no text."""
    for number, name in enumerate(
        (*WORDS.values(), b"caf\xe9\n  Duration: 99:00:00.00".decode("utf-8", "surrogateescape"))
    ):
        path = tmp_path / f"{number}{name.replace('/', '|')[:150]}.wav"
        tone(tmp_path / "song.wav").rename(path)
        found = probe(FFMPEG, path)
        assert (found.format, found.channels, found.sample_rate_hz) == ("wav", 1, 44_100)
        assert found.duration_s in (2.0, None)


@pytest.mark.parametrize(("channels", "rate_hz"), [(65, 44_100), (2, 768_001), (2, 2**31 - 1), (1000, 8000)])
def test_numbers_that_no_sound_has_are_refused(tmp_path: Path, channels: int, rate_hz: int) -> None:
    """What a header really says is bounded too."""
    path = tmp_path / "song.au"
    head = b".snd" + b"".join(number.to_bytes(4, "big") for number in (24, 8 * channels, 3, rate_hz, channels))
    path.write_bytes(head + bytes(8 * channels))
    with pytest.raises(Rejected) as caught:
        probe(FFMPEG, path)
    assert caught.value.code == Code.AUDIO_UNDECODABLE
