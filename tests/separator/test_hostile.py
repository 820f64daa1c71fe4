"""Damaged, lying and hostile files: the right end for each, within the limits, and the process goes on."""

import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from consumer.core.errors import Code, Rejected
from harness.audio import RATE_HZ, music
from harness.files import decode_file, encode_file, ffmpeg, write_float_wav, write_wav
from tests.separator.conftest import MAX_AUDIO_S
from tests.separator.jobs import Harness

SONG_S = 4.0
MOST_MEMORY_BYTES = 2 << 30

Make = Callable[[Path], Path]


def song(name: str, *args: str) -> Make:
    return lambda folder: encode_file(folder / name, music(seconds=SONG_S, seed=5), args=args)


def renamed(make: Make, name: str) -> Make:
    return lambda folder: make(folder).rename(folder / name)


def truncated(make: Make, share: float) -> Make:
    """The first `share` of the file's bytes."""

    def cut(folder: Path) -> Path:
        path = make(folder)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        return path

    return cut


def holding(name: str, content: bytes) -> Make:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def made(name: str, *args: str) -> Make:
    """What ffmpeg makes of a test picture and `args`."""

    def run(folder: Path) -> Path:
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=2", *args, str(folder / name))
        return folder / name

    return run


def wav(
    name: str, samples: int, *, rate_hz: int = RATE_HZ, channels: int = 1, claimed_bytes: int | None = None
) -> Make:
    """A 16-bit WAV file of noise."""
    noise = np.random.default_rng(1).integers(-9999, 9999, samples * channels, np.int16).tobytes()
    return lambda folder: write_wav(
        folder / name, noise, rate_hz=rate_hz, channels=channels, bits=16, claimed_bytes=claimed_bytes
    )


def odd_floats(*values: float) -> Make:
    """A song in floats, with `values` in the middle of it."""

    def write(folder: Path) -> Path:
        samples = music(seconds=SONG_S, seed=5).copy()
        samples[RATE_HZ : RATE_HZ + len(values)] = np.array(values, np.float32)[:, None]
        return write_float_wav(folder / "odd.wav", samples)

    return write


def flac_that_claims(seconds: float, *, silence_s: float) -> Make:
    """A FLAC file of silence whose header tells another length."""

    def write(folder: Path) -> Path:
        path = folder / "lying.flac"
        ffmpeg("-f", "lavfi", "-i", f"anullsrc=r=44100:cl=stereo:d={silence_s}", str(path))
        data = bytearray(path.read_bytes())
        facts = struct.unpack_from(">Q", data, 18)[0]  # 28 bits of other facts, then 36 of the number of samples
        struct.pack_into(">Q", data, 18, facts >> 36 << 36 | int(seconds * RATE_HZ))
        path.write_bytes(data)
        return path

    return write


def playlist(name: str, text: str) -> Make:
    """A text that names the song beside it: by {name}, or by {path} with its folder."""

    def write(folder: Path) -> Path:
        other = song("private.wav")(folder)
        (folder / name).write_text(text.format(name=other.name, path=other))
        return folder / name

    return write


COVER = (
    *("-f", "lavfi", "-i", "testsrc=size=64x64:rate=1:duration=1", "-map", "0:a", "-map", "1:v"),
    *("-c:v", "mjpeg", "-disposition:v", "attached_pic"),
)
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4.0,\n{path}\n#EXT-X-ENDLIST\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S" '
    'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="audio/wav">'
    '<Representation id="1" bandwidth="1"><BaseURL>file:{path}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>"
)
IMF = (
    '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
    "<Id>{path}</Id><ContentTitle>a song</ContentTitle></CompositionPlaylist>"
)
NOISE = np.random.default_rng(3).bytes(100_000)

# What can be separated in spite of all, and the seconds that come out of it.
USABLE: dict[str, tuple[Make, float]] = {
    "flac-named-mp3": (renamed(song("song.flac"), "song.mp3"), SONG_S),
    "m4a-named-wav": (renamed(song("song.m4a"), "song.wav"), SONG_S),
    "no-extension": (renamed(song("song.ogg"), "song"), SONG_S),
    "half-an-mp3": (truncated(song("song.mp3"), 0.5), SONG_S / 2),
    "half-a-wav": (truncated(song("song.wav"), 0.5), SONG_S / 2),
    "half-an-ogg": (truncated(song("song.ogg", "-page_duration", "100000"), 0.5), SONG_S / 2),
    "half-a-flac": (truncated(song("song.flac"), 0.5), SONG_S / 2),
    "header-claims-4-gib": (wav("x.wav", 44100, claimed_bytes=0xFFFFFFFF), 1.0),
    "header-claims-an-hour": (wav("x.wav", 44100, claimed_bytes=3600 * 88200), 1.0),
    "flac-claims-an-hour": (flac_that_claims(3600, silence_s=2), 2.0),
    "eight-hertz": (wav("x.wav", 8 * 40, rate_hz=8), 40.0),
    "not-a-number": (odd_floats(math.nan), SONG_S),
    "infinite": (odd_floats(math.inf, -math.inf), SONG_S),
    "huge": (odd_floats(3e38, -3e38, 3e38), SONG_S),
    "music-behind-a-cover": (song("song.mp3", *COVER), SONG_S),
}

REFUSED: dict[str, tuple[Make, Code]] = {
    "empty": (holding("x.mp3", b""), Code.AUDIO_EMPTY),
    "no-samples": (wav("x.wav", 0), Code.AUDIO_EMPTY),
    "random-bytes": (holding("x.mp3", NOISE), Code.AUDIO_UNDECODABLE),
    "zero-bytes": (holding("x.wav", bytes(100_000)), Code.AUDIO_UNDECODABLE),
    "a-text": (holding("x.wav", b"Dear all, please find the song attached.\n" * 50), Code.AUDIO_UNDECODABLE),
    "only-a-header": (truncated(song("song.wav"), 0.00005), Code.AUDIO_UNDECODABLE),
    "m4a-without-its-index": (truncated(song("song.m4a"), 0.5), Code.AUDIO_UNDECODABLE),
    "cover-art-only": (
        made("x.m4a", "-frames:v", "1", "-c:v", "png", "-disposition:v", "attached_pic", "-f", "mp4"),
        Code.AUDIO_UNDECODABLE,
    ),
    "no-audio-stream": (made("x.mp4", "-c:v", "mpeg4"), Code.AUDIO_UNDECODABLE),
    "a-picture": (renamed(made("x.png", "-frames:v", "1"), "x.mp3"), Code.FORMAT_NOT_ALLOWED),
    "no-channels": (wav("x.wav", 44100, channels=0), Code.AUDIO_UNDECODABLE),
    "too-many-channels": (wav("x.wav", 20, channels=2000), Code.AUDIO_UNDECODABLE),
    "impossible-rate": (wav("x.wav", 44100, rate_hz=0xFFFFFFFF), Code.AUDIO_UNDECODABLE),
    "bomb-of-8-hertz": (wav("x.wav", 50_000, rate_hz=8), Code.AUDIO_TOO_LONG),
    "bomb-of-1-hertz": (wav("x.wav", 50_000, rate_hz=1), Code.AUDIO_TOO_LONG),
    "bomb-of-silence": (flac_that_claims(900, silence_s=900), Code.AUDIO_TOO_LONG),
    "bomb-that-claims-a-second": (flac_that_claims(1, silence_s=900), Code.AUDIO_TOO_LONG),
    "bomb-that-claims-nothing": (flac_that_claims(0, silence_s=900), Code.AUDIO_TOO_LONG),
    "just-too-long": (wav("x.wav", int(MAX_AUDIO_S * 44100) + 1), Code.AUDIO_TOO_LONG),
    "ffconcat": (playlist("x.mp3", "ffconcat version 1.0\nfile {name}\n"), Code.FORMAT_NOT_ALLOWED),
    "hls": (playlist("x.mp3", HLS), Code.AUDIO_UNDECODABLE),
    "hls-named-so": (playlist("x.m3u8", HLS), Code.FORMAT_NOT_ALLOWED),
    "dash": (playlist("x.mp3", DASH), Code.FORMAT_NOT_ALLOWED),
    "imf": (playlist("x.mp3", IMF), Code.FORMAT_NOT_ALLOWED),
}


@pytest.fixture
def hardened(separator: Harness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """The shared process; afterwards it must be the same one, lean, and able to do a good job."""
    [pid] = separator.pids
    yield separator
    good = song("good.wav")(tmp_path_factory.mktemp("good"))
    stems = separator.separate(good).stems
    assert [decode_file(stem.path).shape for stem in stems] == [(SONG_S * RATE_HZ, 2)] * 2
    assert all(stem.peak > 0.01 for stem in stems)
    assert separator.pids == {pid}
    [peak_kib] = [line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line]
    assert int(peak_kib) << 10 < MOST_MEMORY_BYTES


@pytest.mark.parametrize(("make", "seconds"), USABLE.values(), ids=USABLE)
def test_what_can_be_decoded_is_separated(make: Make, seconds: float, hardened: Harness, tmp_path: Path) -> None:
    """As much as the file really holds becomes stems of finite numbers, whatever its name and header say."""
    separation = hardened.separate(make(tmp_path), format="wav-f32")
    assert separation.audio.duration_s == pytest.approx(seconds, rel=0.1)
    for stem in separation.stems:
        decoded = decode_file(stem.path)
        assert len(decoded) == round(separation.audio.duration_s * RATE_HZ)
        assert np.isfinite(decoded).all()
        assert math.isfinite(stem.peak)


@pytest.mark.parametrize(("make", "code"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_separated_is_refused(make: Make, code: Code, hardened: Harness, tmp_path: Path) -> None:
    """The file ends with its code, one line that names no path, and no stem file."""
    path = make(tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(Rejected) as refusal:
        hardened.separate(path)
    assert refusal.value.code == code
    assert "\n" not in refusal.value.message
    assert str(tmp_path) not in refusal.value.message
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("make", "start_s", "code"),
    [
        (song("song.wav"), SONG_S, Code.OFFSET_PAST_END),
        (song("song.mp3"), 1e6, Code.OFFSET_PAST_END),
        (wav("x.wav", 0), 1.0, Code.AUDIO_EMPTY),
        (flac_that_claims(900, silence_s=2), 5.0, Code.OFFSET_PAST_END),
    ],
    ids=["at-the-end", "far-past-the-end", "of-nothing", "within-what-the-header-claims"],
)
def test_an_offset_past_the_end_is_reported(
    make: Make, start_s: float, code: Code, hardened: Harness, tmp_path: Path
) -> None:
    """A span that begins where the audio has ended is the request's fault, unless there is no audio at all."""
    with pytest.raises(Rejected) as refusal:
        hardened.separate(make(tmp_path), start_s=start_s)
    assert refusal.value.code == code


def test_a_span_of_something_too_long_is_separated(hardened: Harness, tmp_path: Path) -> None:
    """The limit counts what is separated, not what the file holds besides."""
    separation = hardened.separate(flac_that_claims(900, silence_s=900)(tmp_path), start_s=100.0, duration_s=2.0)
    assert separation.audio.duration_s == pytest.approx(2.0)


def test_the_longest_audio_allowed_is_separated(hardened: Harness, tmp_path: Path) -> None:
    """Audio of just the greatest length is not too long."""
    separation = hardened.separate(wav("x.wav", int(MAX_AUDIO_S * 44100))(tmp_path))
    assert separation.audio.duration_s == pytest.approx(MAX_AUDIO_S)
