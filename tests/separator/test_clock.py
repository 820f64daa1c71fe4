"""One clock: sound files come out as they are, gaps as silence, late sound late, and spans are spans of the whole.

Where sound lies is known from how the file was made: packets are taken out of sound files, or shifted in time.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from consumer.core.errors import Code, Rejected
from harness.audio import RATE_HZ, error_db
from harness.files import Samples, decode_file, encode_file, ffmpeg
from tests.separator.conftest import MAX_AUDIO_S
from tests.separator.decoding import decoded, delay_of, noise, sum_of_stems
from tests.separator.jobs import Harness

SONG_S = 6.0
VIDEO = ("-f", "lavfi", "-i", f"testsrc=size=64x64:rate=25:duration={SONG_S}")
WITHOUT = ("-c", "copy", "-bsf:a")  # and then what is taken out
# Named by what they are: extension of the file, and how ffmpeg writes it.
SOUND: dict[str, tuple[str, Sequence[str]]] = {
    "mp3": ("mp3", ()),
    "mp3-vbr": ("mp3", ("-q:a", "4")),
    "mp3-22k-mono": ("mp3", ("-ar", "22050", "-ac", "1")),
    "mp3-48k": ("mp3", ("-ar", "48000")),
    "mp2": ("mp2", ()),
    "wav": ("wav", ()),
    "wav-24-bit-96k": ("wav", ("-c:a", "pcm_s24le", "-ar", "96000")),
    "wav-adpcm": ("wav", ("-c:a", "adpcm_ms")),
    "wav-ima": ("wav", ("-c:a", "adpcm_ima_wav")),
    "wav-mulaw": ("wav", ("-c:a", "pcm_mulaw", "-ar", "8000")),
    "w64": ("w64", ()),
    "flac": ("flac", ()),
    "flac-24-bit-192k": ("flac", ("-sample_fmt", "s32", "-ar", "192000")),
    "flac-in-ogg": ("ogg", ("-c:a", "flac")),
    "vorbis": ("ogg", ("-c:a", "libvorbis")),
    "vorbis-22k": ("ogg", ("-c:a", "libvorbis", "-ar", "22050")),
    "opus": ("opus", ()),
    "opus-2.5-ms": ("opus", ("-frame_duration", "2.5")),
    "opus-60-ms": ("opus", ("-frame_duration", "60")),
    "m4a": ("m4a", ()),
    "m4a-48k": ("m4a", ("-ar", "48000")),
    "m4a-fragmented": ("m4a", ("-movflags", "+frag_keyframe+empty_moov", "-frag_duration", "500000")),
    "alac": ("m4a", ("-c:a", "alac")),
    "mov-pcm": ("mov", ("-c:a", "pcm_s16le")),
    "adts": ("aac", ()),
    "aiff": ("aiff", ()),
    "caf": ("caf", ()),
    "au": ("au", ()),
    "wma": ("mkv", ("-c:a", "wmav2")),
    "ac3": ("ac3", ()),
    "eac3": ("eac3", ()),
    "wavpack": ("wv", ()),
    "tta": ("tta", ()),
    "amr": ("amr", ("-ar", "8000", "-ac", "1")),
    "matroska-aac": ("mkv", ("-c:a", "aac")),
    "matroska-vorbis": ("mkv", ("-c:a", "libvorbis")),
    "matroska-pcm": ("mkv", ("-c:a", "pcm_s16le")),
    "matroska-flac": ("mkv", ("-c:a", "flac")),
    "matroska-ac3": ("mkv", ("-c:a", "ac3")),
    "webm-opus": ("webm", ("-c:a", "libopus")),
    "mpegts-aac": ("ts", ("-c:a", "aac")),
    "mpegts-mp2": ("ts", ("-c:a", "mp2")),
    "mpegts-ac3": ("ts", ("-c:a", "ac3")),
    "mpegts-opus": ("ts", ("-c:a", "libopus")),
    "mpeg": ("mpg", ()),
    "flv-aac": ("flv", ("-c:a", "aac")),
    "flv-mp3": ("flv", ("-c:a", "libmp3lame")),
    "asf-mp3": ("asf", ("-c:a", "libmp3lame")),
    "asf-pcm": ("asf", ("-c:a", "pcm_s16le")),
    "asf-aac": ("asf", ("-c:a", "aac")),
    "avi-mp3": ("avi", ("-c:a", "libmp3lame")),
    "avi-pcm": ("avi", ("-c:a", "pcm_s16le")),
    "mp4-video": ("mp4", (*VIDEO, "-c:v", "mpeg4", "-c:a", "aac")),
    "mp4-b-frames": ("mp4", (*VIDEO, "-c:v", "libx264", "-bf", "3", "-c:a", "aac")),
    "matroska-video": ("mkv", (*VIDEO, "-c:v", "mpeg4", "-c:a", "ac3")),
    "webm-video": ("webm", (*VIDEO, "-c:v", "libvpx", "-c:a", "libopus")),
    "mpegts-video": ("ts", (*VIDEO, "-c:v", "mpeg2video", "-c:a", "mp2")),
    "avi-video": ("avi", (*VIDEO, "-c:v", "mpeg4", "-c:a", "libmp3lame")),
    "asf-video": ("asf", (*VIDEO, "-c:v", "mpeg4", "-c:a", "libmp3lame")),
    "flv-video": ("flv", (*VIDEO, "-c:v", "flv", "-c:a", "libmp3lame")),
    "ogv": ("ogv", (*VIDEO, "-c:v", "libtheora", "-c:a", "libvorbis")),
}


@pytest.fixture(scope="module")
def song() -> Samples:
    return noise(SONG_S)


@pytest.mark.parametrize(("extension", "args"), SOUND.values(), ids=SOUND)
def test_a_sound_file_is_decoded_as_it_is(extension: str, args: Sequence[str], song: Samples, tmp_path: Path) -> None:
    """Sample for sample what ffmpeg gives without regard to time, and there is nothing to tell of it."""
    path = encode_file(tmp_path / f"song.{extension}", song, args=args)
    samples, warnings = decoded(path)
    channels = 1 if "-ac" in args else 2
    assert np.array_equal(samples, np.broadcast_to(decode_file(path, channels=channels), samples.shape))
    assert warnings == ()


GAPS = {
    name: SOUND[name]
    for name in (
        *("matroska-aac", "matroska-vorbis", "matroska-pcm", "matroska-flac", "matroska-ac3", "webm-opus"),
        *("mpegts-aac", "mpegts-mp2", "mpegts-ac3", "mpegts-opus", "mpeg", "flv-aac", "flv-mp3", "m4a", "alac"),
        *("m4a-48k", "m4a-fragmented", "flac", "wavpack", "opus", "vorbis", "flac-in-ogg"),
        *("asf-mp3", "asf-pcm", "asf-aac", "asf-video"),
        *("mp4-video", "mp4-b-frames", "matroska-video", "webm-video", "mpegts-video", "flv-video", "ogv"),
    )
}
# Whose first frames are left out, so that ffmpeg alone gives others.
GAPS |= {f"asf-{codec}": ("asf", ("-c:a", codec)) for codec in ("wmav1", "wmav2")}
OGG_PAGE_S = 1.2  # ffmpeg's: within a page nothing tells which packet is missing
# The objects of an ASF file with its packets' size, and with the packets.
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
EDGE_S = 0.15  # where a codec's frames overlap


def with_gap(folder: Path, kind: tuple[str, Sequence[str]], song: Samples, missing: str) -> tuple[Path, Path]:
    """A sound file, and the same without the packets for which this is true: a condition in ffmpeg's words."""
    extension, args = kind
    whole = encode_file(folder / f"whole.{extension}", song, args=args)
    again = ("-movflags", "+frag_keyframe+empty_moov") if "-movflags" in args else ()
    path = folder / f"gap.{extension}"
    ffmpeg("-i", str(whole), *WITHOUT, f"noise=drop={missing}", *again, str(path))
    return whole, path


@pytest.mark.parametrize("kind", GAPS.values(), ids=GAPS)
def test_a_gap_is_silence(kind: tuple[str, Sequence[str]], song: Samples, tmp_path: Path) -> None:
    """Where the packets of a second are missing there is silence, and all else lies where it lay, and this is told."""
    whole, path = with_gap(tmp_path, kind, song, r"between(pts*tb\,2\,3)")
    wanted, _ = decoded(whole)
    samples, warnings = decoded(path)
    assert abs(len(samples) - len(wanted)) <= 0.002 * RATE_HZ
    count = round(1.5 * RATE_HZ)
    behind = 2 * round((3 + EDGE_S + (OGG_PAGE_S if kind[0].startswith("og") else 0)) * RATE_HZ / 2)
    before = round((2 - EDGE_S - (OGG_PAGE_S if kind[0].startswith(("og", "opus")) else 0)) * RATE_HZ)
    assert abs(delay_of(samples, wanted, start=behind, count=count)) <= 0.002 * RATE_HZ
    assert np.array_equal(samples[:before], wanted[:before])
    silent = np.flatnonzero((samples == 0).all(axis=1))
    assert 0.85 * RATE_HZ < len(silent) < 1.2 * RATE_HZ
    [warning] = warnings
    assert "s are missing in the file" in warning


@pytest.mark.parametrize(
    "name",
    [
        *("matroska-pcm", "m4a", "mp4-video", "mpegts-mp2", "webm-opus", "matroska-ac3"),
        *("asf-mp3", "asf-pcm", "asf-wmav2", "asf-video"),
    ],
)
def test_single_packets_are_missed_too(name: str, song: Samples, tmp_path: Path) -> None:
    """Every fiftieth packet is missing: what remains lies where it lay, to the end, and to the sample."""
    whole, path = with_gap(tmp_path, (SOUND | GAPS)[name], song, r"eq(mod(n\,50)\,20)")
    wanted, _ = decoded(whole)
    samples, warnings = decoded(path)
    assert len(samples) == len(wanted)
    assert delay_of(samples, wanted, start=len(wanted) - 30_000, count=20_000) == 0
    assert len(warnings) == 1


@pytest.mark.parametrize("name", ["asf-mp3", "asf-pcm", "asf-wmav2", "asf-video"])
@pytest.mark.parametrize("left", [b"", b"\0"], ids=["cut", "zeros"])
def test_what_a_broken_transfer_lost_of_asf_is_silence(name: str, left: bytes, song: Samples, tmp_path: Path) -> None:
    """Packets of the container, which hold some of one or several of the codec's, are cut out or overwritten."""
    extension, args = (SOUND | GAPS)[name]
    whole = encode_file(tmp_path / f"whole.{extension}", song, args=args)
    content = whole.read_bytes()
    size = int.from_bytes(content[(at := content.index(ASF_PROPERTIES) + 92) : at + 4], "little")
    data = content.index(ASF_DATA)
    count = int.from_bytes(content[data + 40 : data + 48], "little")
    first, end = (data + 50 + number * size for number in (count // 3, count // 2))
    path = tmp_path / f"gap.{extension}"
    path.write_bytes(content[:first] + left * (end - first) + content[end:])
    wanted, _ = decoded(whole)
    samples, warnings = decoded(path)
    assert len(samples) == len(wanted)
    assert delay_of(samples, wanted, start=20_000, count=30_000) == 0
    assert delay_of(samples, wanted, start=220_000, count=30_000) == 0
    assert "s are missing in the file" in warnings[-1]


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts", "mpg", "flv", "mov", "asf"])
def test_late_sound_is_late(extension: str, song: Samples, tmp_path: Path) -> None:
    """Where the pictures begin half a second before the sound, so does the clock, in spans as in the whole."""
    args = {"flv": ("-c:v", "flv", "-c:a", "libmp3lame")}.get(extension, ("-c:v", "mpeg2video", "-c:a", "mp2"))
    if extension in ("mp4", "mkv", "mov"):
        args = ("-c:v", "mpeg4", "-c:a", "aac")
    film = encode_file(tmp_path / f"film.{extension}", song, args=(*VIDEO, *args))
    late = tmp_path / f"late.{extension}"
    ffmpeg(
        "-i", str(film), "-itsoffset", "0.5", "-i", str(film), *("-map", "0:v", "-map", "1:a", "-c", "copy"), str(late)
    )
    wanted, _ = decoded(film)
    samples, warnings = decoded(late)
    delay = delay_of(samples, wanted, start=RATE_HZ, count=2 * RATE_HZ, most=30_000)
    assert delay == pytest.approx(RATE_HZ / 2, abs=0.03 * RATE_HZ)  # FLV and MP4 shift it by an encoder's delay
    assert not samples[: RATE_HZ * 4 // 10].any()
    assert warnings == ()
    early, _ = decoded(late, start_s=0.2, duration_s=0.2)
    assert early.shape == (RATE_HZ // 5, 2)
    assert not early.any()
    last, _ = decoded(late, start_s=SONG_S + 0.2)
    assert np.array_equal(last, samples[round((SONG_S + 0.2) * RATE_HZ) :])
    with pytest.raises(Rejected) as refusal:
        decoded(late, start_s=len(samples) / RATE_HZ)
    assert refusal.value.code is Code.OFFSET_PAST_END


def test_sound_alone_begins_with_its_first_sample(song: Samples, tmp_path: Path) -> None:
    """Without pictures there is nothing that sound could be late for, whatever its container counts from."""
    plain = encode_file(tmp_path / "plain.mkv", song, args=("-c:a", "pcm_s16le"))
    ffmpeg("-itsoffset", "7", "-i", str(plain), "-c", "copy", str(tmp_path / "late.mkv"))
    assert np.array_equal(decoded(tmp_path / "late.mkv")[0], decoded(plain)[0])


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("jitter", "PTS+30*eq(mod(N\\,40)\\,7)"),
        ("one-lie", "PTS+3600000*eq(N\\,100)"),
        ("fast-clock", "floor(PTS*1.002)"),
        ("slow-clock", "floor(PTS*0.998)"),
    ],
)
def test_wrong_times_make_no_silence(name: str, times: str, song: Samples, tmp_path: Path) -> None:
    """Single packets with wrong times, and clocks that are a little off, change no sample."""
    plain = encode_file(tmp_path / "plain.mkv", song, args=("-c:a", "aac"))
    ffmpeg("-i", str(plain), *WITHOUT, f"setts=pts={times}", str(tmp_path / "odd.mkv"))
    samples, warnings = decoded(tmp_path / "odd.mkv")
    assert np.array_equal(samples, decoded(plain)[0])
    assert warnings == ()


def test_nothing_is_dropped_where_times_go_back(song: Samples, tmp_path: Path) -> None:
    """Recordings put one behind the other, whose times begin anew, lie one behind the other."""
    plain = encode_file(tmp_path / "plain.ts", song, args=("-c:a", "mp2"))
    twice = tmp_path / "twice.ts"
    twice.write_bytes(2 * plain.read_bytes())
    once, _ = decoded(plain)
    samples, warnings = decoded(twice)
    assert len(samples) == pytest.approx(2 * len(once), abs=2 * 1152)
    assert abs(delay_of(samples, np.concatenate((once, once)), start=len(once) + RATE_HZ, count=RATE_HZ)) <= 1152
    assert warnings == ()


def test_a_spliced_broadcast_goes_on(song: Samples, tmp_path: Path) -> None:
    """A transport stream whose times jump by hours has another time from there on, and not hours of silence."""
    plain = encode_file(tmp_path / "plain.ts", song, args=("-c:a", "mp2"))
    later = encode_file(tmp_path / "later.ts", song, args=("-c:a", "mp2", "-output_ts_offset", "20000"))
    (tmp_path / "spliced.ts").write_bytes(plain.read_bytes() + later.read_bytes())
    once, _ = decoded(plain)
    samples, warnings = decoded(tmp_path / "spliced.ts")
    assert len(samples) == pytest.approx(2 * len(once), abs=2 * 1152)
    assert warnings == ()


def test_hours_of_silence_are_too_long(separator: Harness, song: Samples, tmp_path: Path) -> None:
    """Times that jump by ten hours are believed, and refused by the limit for what is too long, at once; a span in
    front of them, or of them, is not.
    """
    plain = encode_file(tmp_path / "plain.mkv", song, args=("-c:a", "aac"))
    jump = "PTS+36000000*gt(N\\,100)"
    ffmpeg("-i", str(plain), *WITHOUT, f"setts=pts={jump}:dts={jump.replace('PTS', 'DTS')}", str(tmp_path / "far.mkv"))
    with pytest.raises(Rejected) as refusal:
        separator.separate(tmp_path / "far.mkv")
    assert refusal.value.code is Code.AUDIO_TOO_LONG
    assert separator.separate(tmp_path / "far.mkv", duration_s=2.0).warnings == ()
    within = separator.separate(tmp_path / "far.mkv", start_s=5 * 3600.0, duration_s=1.0)
    assert within.audio.duration_s == 1.0
    assert MAX_AUDIO_S < 3600
    samples, _ = decoded(tmp_path / "far.mkv", start_s=36000 + 4.0)
    wanted, _ = decoded(plain, start_s=4.0)
    assert abs(delay_of(samples, wanted, start=10_000, count=RATE_HZ)) <= 0.002 * RATE_HZ


SPANS = [(1.7, 0.8), (2.9, None), (0.3, 1 / RATE_HZ)]


@pytest.mark.parametrize(
    "kind", (SOUND | {f"gap-{name}": GAPS[name] for name in GAPS}).items(), ids=lambda kind: kind[0]
)
def test_a_span_is_that_span_of_the_whole(
    kind: tuple[str, tuple[str, Sequence[str]]], song: Samples, tmp_path: Path
) -> None:
    """Sample for sample, in every container, with gaps and without."""
    name, how = kind
    if "gap" in name:
        _, path = with_gap(tmp_path, how, song, r"between(pts*tb\,2\,3)")
    else:
        path = encode_file(tmp_path / f"song.{how[0]}", song, args=how[1])
    samples, _ = decoded(path)
    for start_s, duration_s in SPANS:
        first = round(start_s * RATE_HZ)
        wanted = samples[first:] if duration_s is None else samples[first : first + round(duration_s * RATE_HZ)]
        assert np.array_equal(decoded(path, start_s=start_s, duration_s=duration_s)[0], wanted)


@pytest.mark.parametrize("name", ["matroska-aac", "mpegts-mp2"])
def test_the_stems_of_a_span_are_what_was_decoded_there(
    name: str, separator: Harness, song: Samples, tmp_path: Path
) -> None:
    """Through the whole separator: masks sum to one, so stems with a share of the high frequencies sum to the span."""
    _, path = with_gap(tmp_path, SOUND[name], song, r"between(pts*tb\,2\,3)")
    separation = separator.separate(path, format="wav-f32", high_frequencies="average", start_s=2.5, duration_s=2.0)
    mix = sum_of_stems(separation)
    assert error_db(mix, decoded(path)[0][round(2.5 * RATE_HZ) : round(4.5 * RATE_HZ)]) < -90
    [warning] = separation.warnings
    assert "missing" in warning
