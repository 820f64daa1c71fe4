"""Files put one behind the other: all of them are heard, one behind the other. Each is known from how it was made."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from consumer.core.errors import Code, Rejected
from harness.audio import RATE_HZ
from harness.corpus.catalogue import catalogue
from harness.files import Samples, encode_file
from tests.separator.decoding import decoded, delay_of, noise, sum_of_stems
from tests.separator.jobs import Harness

Link = tuple[str, float, Sequence[str]]  # extension, seconds, ffmpeg's output options

MONO_OPUS: Link = ("opus", 1.0, ("-ac", "1"))
OPUS: Link = ("opus", 5.0, ())
VORBIS_48K: Link = ("ogg", 1.5, ("-c:a", "libvorbis", "-ac", "1", "-ar", "48000"))
VORBIS: Link = ("ogg", 5.0, ("-c:a", "libvorbis"))
FLAC_48K: Link = ("oga", 1.0, ("-c:a", "flac", "-ac", "1", "-ar", "48000"))
OGG_FLAC: Link = ("oga", 2.0, ("-c:a", "flac"))
FILM: Link = (
    *("ogv", 2.0),
    ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=2", "-c:v", "libtheora", "-c:a", "libvorbis"),
)
FLAC: Link = ("flac", 2.0, ())
FLAC_96K: Link = ("flac", 1.0, ("-ac", "1", "-ar", "96000", "-sample_fmt", "s32"))
SURROUND: Link = ("opus", 1.0, ("-af", "pan=5.1|FC=0.5*c0+0.5*c1", "-mapping_family", "1"))
CHAINS: dict[str, Sequence[Link]] = {
    "opus-mono-stereo": (MONO_OPUS, OPUS),
    "opus-stereo-mono": (OPUS, MONO_OPUS),
    "opus-surround": (OPUS, SURROUND, OPUS),
    "vorbis-other-rate": (VORBIS_48K, VORBIS),
    "vorbis-same": (VORBIS, VORBIS, VORBIS),
    "ogg-flac-other-rate": (FLAC_48K, OGG_FLAC),
    "other-codecs": (OGG_FLAC, VORBIS, MONO_OPUS),
    "with-pictures": (VORBIS, FILM, VORBIS),
    "flac-same": (FLAC, FLAC),
    "flac-other-rate": (FLAC, FLAC_96K, FLAC),
}


def chain(folder: Path, links: Sequence[Link]) -> tuple[Path, Samples]:
    """The file, and the sound that went into it."""
    sounds, content = [], b""
    for number, (extension, seconds, args) in enumerate(links):
        sounds.append(noise(seconds, seed=number))
        content += encode_file(folder / f"{number}.{extension}", sounds[-1], args=args).read_bytes()
    path = folder / f"chain.{links[0][0]}"
    path.write_bytes(content)
    return path, np.concatenate(sounds)


@pytest.mark.parametrize("links", CHAINS.values(), ids=CHAINS)
def test_every_link_is_heard_in_its_place(links: Sequence[Link], tmp_path: Path) -> None:
    """Each link's own sound lies just behind the one before, brought to the same rate and two channels."""
    path, sound = chain(tmp_path, links)
    samples, warnings = decoded(path)
    assert abs(len(samples) - len(sound)) <= len(links)  # a link at another rate may end between two samples
    start = 0
    for _, seconds, _ in links:
        count = round(seconds * RATE_HZ)
        assert abs(delay_of(samples, sound, start=start + count // 4, count=count // 2)) <= len(links)
        start += count
    assert warnings == ()


@pytest.mark.parametrize("links", [(VORBIS, VORBIS), (FLAC, FLAC)])
def test_links_hold_what_another_decoder_finds_in_them(links: Sequence[Link], tmp_path: Path) -> None:
    """libsndfile, with libvorbis and libFLAC, decodes each link's file to the same samples."""
    path, _ = chain(tmp_path, links)
    files = (tmp_path / f"{number}.{extension}" for number, (extension, _, _) in enumerate(links))
    wanted = np.concatenate([soundfile.read(file, dtype="float32")[0] for file in files])
    samples, _ = decoded(path)
    assert samples.shape == wanted.shape
    assert np.abs(samples - wanted).max() < 1e-4


@pytest.mark.parametrize("links", [CHAINS["vorbis-other-rate"], CHAINS["flac-other-rate"]])
def test_a_span_of_a_chain_is_that_span_of_the_whole(links: Sequence[Link], tmp_path: Path) -> None:
    """Within a link, across a border, and to the end."""
    path, _ = chain(tmp_path, links)
    samples, _ = decoded(path)
    for start_s, duration_s in ((0.2, 0.5), (1.2, 1.5), (2.5, None), (4.9, 9.0)):
        first = round(start_s * RATE_HZ)
        wanted = samples[first:] if duration_s is None else samples[first : first + round(duration_s * RATE_HZ)]
        assert np.array_equal(decoded(path, start_s=start_s, duration_s=duration_s)[0], wanted)
    with pytest.raises(Rejected) as refusal:
        decoded(path, start_s=60.0)
    assert refusal.value.code is Code.OFFSET_PAST_END


@pytest.mark.parametrize(
    "kinds",
    [
        ((2, 44100), (2, 44100)),
        ((2, 22050), (2, 44100)),
        ((2, 48000), (1, 24000)),
        ((1, 16000), (2, 48000), (1, 32000)),
    ],
)
def test_frames_of_aac_may_change_their_rate_and_channels(kinds: Sequence[tuple[int, int]], tmp_path: Path) -> None:
    """ADTS has no times: each frame is 1024 samples at its own rate, and the encoder's first one is in front."""
    wanted, content = [], b""
    for number, (channels, rate_hz) in enumerate(kinds):
        sound = noise(1.0, seed=number)
        args = ("-ac", str(channels), "-ar", str(rate_hz), "-b:a", "128k")
        part = encode_file(tmp_path / f"{number}.aac", sound, args=args).read_bytes()
        frame = 1024 * RATE_HZ / rate_hz
        whole = np.zeros((round(adts_frames(part) * frame), 2), np.float32)
        whole[round(frame) : round(frame) + len(sound)] = sound[: len(whole) - round(frame)]
        wanted.append(whole)
        content += part
    path = tmp_path / "joined.aac"
    path.write_bytes(b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + content)
    samples, warnings = decoded(path)
    assert abs(len(samples) - sum(map(len, wanted))) <= len(kinds)
    start = 0
    for part_wanted in wanted:
        count = len(part_wanted) // 2
        delay = delay_of(samples, np.concatenate(wanted), start=start + count // 2, count=count)
        assert abs(delay) <= len(kinds)
        start += len(part_wanted)
    assert warnings == ()


def adts_frames(stream: bytes) -> int:
    """ISO/IEC 14496-3, 1.A.2.2: each frame's head has its size in 13 bits."""
    place = count = 0
    while place < len(stream):
        place += int.from_bytes(stream[place + 3 : place + 6], "big") >> 5 & 0x1FFF
        count += 1
    return count


def test_a_chain_of_many_links(tmp_path: Path) -> None:
    """As radio stations make them."""
    sound = noise(2.0)
    one = encode_file(tmp_path / "one.opus", sound).read_bytes()
    (tmp_path / "radio.opus").write_bytes(40 * one)
    samples, warnings = decoded(tmp_path / "radio.opus")
    assert len(samples) == 40 * len(sound)
    assert delay_of(samples, np.tile(sound, (40, 1)), start=39 * len(sound), count=len(sound)) == 0
    assert warnings == ()


def test_a_link_that_can_not_be_decoded_is_told(tmp_path: Path) -> None:
    """The others are there; a chain of which nothing can be decoded is refused."""
    good = encode_file(tmp_path / "good.ogg", noise(2.0), args=VORBIS[2]).read_bytes()
    film = tmp_path / "film.ogv"
    encode_file(film, noise(2.0), args=(*FILM[2], "-an"))
    (tmp_path / "chain.ogg").write_bytes(good + film.read_bytes() + good)
    samples, warnings = decoded(tmp_path / "chain.ogg")
    assert len(samples) == 4 * RATE_HZ
    [warning] = warnings
    assert warning.startswith("the decoder complained, and went on: part 2 of 3: the file holds no audio")
    (tmp_path / "films.ogg").write_bytes(2 * film.read_bytes())
    with pytest.raises(Rejected) as refusal:
        decoded(tmp_path / "films.ogg")
    assert refusal.value.code is Code.AUDIO_UNDECODABLE


def test_the_limit_counts_all_links(separator: Harness, tmp_path: Path) -> None:
    """No link is too long, but the chain is."""
    one = encode_file(tmp_path / "one.opus", noise(16.0)).read_bytes()
    (tmp_path / "chain.opus").write_bytes(4 * one)
    with pytest.raises(Rejected) as refusal:
        separator.separate(tmp_path / "chain.opus")
    assert refusal.value.code is Code.AUDIO_TOO_LONG


def test_the_stems_of_a_chain_are_whole(separator: Harness, tmp_path: Path) -> None:
    """Through the whole separator, sandbox and all."""
    path, sound = chain(tmp_path, CHAINS["opus-mono-stereo"])
    separation = separator.separate(path, format="wav-f32", high_frequencies="average")
    mix = sum_of_stems(separation)
    assert mix.shape == sound.shape
    assert delay_of(mix, sound, start=3 * RATE_HZ, count=2 * RATE_HZ) == 0
    assert separation.audio.duration_s == 6.0
    assert separation.warnings == ()


CONCATENATED = {
    "mp3": ("mp3", (), ()),
    "mp3-other-rate": ("mp3", (), ("-ar", "22050", "-ac", "1")),
    "mp3-tags": ("mp3", ("-metadata", "title=one"), ("-metadata", "title=two", "-write_id3v1", "1")),
    "adts": ("aac", (), ()),
    "adts-other-rate": ("aac", (), ("-ar", "48000", "-ac", "1")),
    "ac3": ("ac3", (), ("-ar", "48000")),
    "mpegts": ("ts", ("-c:a", "aac"), ("-c:a", "aac")),
    "mpeg": ("mpg", (), ("-ar", "48000")),
}


@pytest.mark.parametrize("kind", CONCATENATED.values(), ids=CONCATENATED)
def test_streams_without_a_header_go_on(kind: tuple[str, Sequence[str], Sequence[str]], tmp_path: Path) -> None:
    """Three files of frames alone, the second one another: all are heard, with their encoders' delays in between."""
    extension, args, other_args = kind
    first, second = noise(2.0), noise(2.5, seed=2)
    content = encode_file(tmp_path / f"1.{extension}", first, args=args).read_bytes()
    other = encode_file(tmp_path / f"2.{extension}", second, args=other_args).read_bytes()
    path = tmp_path / f"all.{extension}"
    path.write_bytes(content + other + content)
    samples, _ = decoded(path)
    sound = np.concatenate((first, second, first))
    assert 0 <= len(samples) - len(sound) < 0.2 * RATE_HZ
    for start, count in ((20_000, 40_000), (100_000, 60_000), (220_000, 40_000)):
        assert 0 <= delay_of(samples, sound, start=start, count=count, most=9000) < 0.2 * RATE_HZ


@pytest.mark.parametrize("extension", ["wav", "aiff", "w64", "au", "caf", "m4a", "mov", "tta", "wma", "flv"])
def test_files_whose_header_tells_their_end_are_the_first_one(extension: str, tmp_path: Path) -> None:
    """What stands behind it is not theirs: other decoders (libsndfile) and players say the same. That it is left out
    is told, with its size; of the first one alone there is nothing to tell.
    """
    first = encode_file(tmp_path / f"1.{extension}", noise(2.0))
    other = encode_file(tmp_path / f"2.{extension}", noise(2.5, seed=2))
    path = tmp_path / f"both.{extension}"
    path.write_bytes(first.read_bytes() + other.read_bytes())
    samples, warnings = decoded(path)
    alone, none = decoded(first)
    assert np.array_equal(samples, alone)
    assert none == ()
    [warning] = warnings
    assert warning.startswith("another file follows the one that is heard: ")
    count, begin = (int(word) for word in warning.split() if word.isdigit())
    assert 0 <= path.stat().st_size - (begin + count) < 100  # tags of TTA
    assert 0 <= first.stat().st_size - begin < 100
    assert decoded(path, start_s=0.5, duration_s=0.5)[1] == warnings


@pytest.mark.parametrize("extension", ["spx", "caf", "mp3", "amr"])
def test_a_span_is_that_of_the_whole_where_the_headers_are_corrected(extension: str, tmp_path: Path) -> None:
    """Speex and ALAC in CAF, an mp3 whose header tells of too few frames, and joined AMR."""
    specimens = catalogue()
    name = {
        "spx": "speech/speex-wide.spx",
        "caf": "apple/alac-24-of-22050.caf",
        "mp3": "mpeg/header-frames-halved.mp3",
        "amr": "speech/joined.amr",
    }[extension]
    path = tmp_path / f"song.{extension}"
    specimens[name].make(path)
    samples, warnings = decoded(path)
    assert warnings == ()
    for start_s, duration_s in ((0.1, 0.2), (0.24, 0.15), (0.3, None)):
        first = round(start_s * RATE_HZ)
        wanted = samples[first:] if duration_s is None else samples[first : first + round(duration_s * RATE_HZ)]
        assert np.array_equal(decoded(path, start_s=start_s, duration_s=duration_s)[0], wanted)
