"""Files with several audio tracks: which one is separated, and how another one is asked for.

Each track is a tone of its own, so that the sound tells which track it is of.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.decode import Decoder
from consumer.separator.audio.tracks import AudioFile
from harness.audio import RATE_HZ
from harness.files import Samples, decode_file, ffmpeg
from tests.separator.jobs import FFMPEG, Harness

TONES_HZ = (440, 1000, 1700, 2500)
CONTAINERS = ("mkv", "mp4", "ts", "avi", "asf", "mov")
SECONDS = 2.0
DROP_ALL = "noise=drop=1"


def film(path: Path, layouts: Sequence[str], *options: str, video: bool = True) -> Path:
    """A film whose audio tracks have these layouts and TONES_HZ; `options` are further ones for ffmpeg's output."""
    inputs, maps = [], []
    for number, layout in enumerate(layouts):
        channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
        wave = "|".join([f"0.3*sin(2*PI*{TONES_HZ[number]}*t)"] * channels)
        inputs += ["-f", "lavfi", "-i", f"aevalsrc={wave}:d={SECONDS}:s={RATE_HZ}:c={layout}"]
        maps += ["-map", f"{number}:a"]
    if video:
        inputs += ["-f", "lavfi", "-i", f"testsrc=size=32x32:rate=5:duration={SECONDS}"]
        maps = ["-map", f"{len(layouts)}:v", "-c:v", "mpeg4", *maps]
    ffmpeg(*inputs, *maps, "-c:a", "ac3", *options, f"file:{path}")
    return path


def track_heard(samples: Samples) -> int:
    """Whose tone it is."""
    spectrum = np.abs(np.fft.rfft(samples[:RATE_HZ, 0]))
    return TONES_HZ.index(int(np.argmax(spectrum)))


def chosen(path: Path, track: int | None = None) -> int:
    """The track that is decoded, by its sound, which is also the one that is told."""
    with Decoder(FFMPEG, AudioFile(path=path, track=track), rate_hz=RATE_HZ, max_s=60.0) as decoder:
        heard = track_heard(decoder.read(RATE_HZ))
        assert heard == as_counted_by_ffmpeg(path, decoder.facts.track)
        assert track in (None, decoder.facts.track)
    return heard


def refused(path: Path, track: int | None = None) -> Rejected:
    with pytest.raises(Rejected) as caught:
        chosen(path, track)
    return caught.value


def of_ffmpeg(path: Path) -> int:
    """The track that ffmpeg takes where it is not told."""
    out = ffmpeg("-i", f"file:{path}", "-ac", "1", "-ar", str(RATE_HZ), "-f", "f32le", "pipe:1")
    return track_heard(np.frombuffer(out, "<f4").reshape(-1, 1))


def as_counted_by_ffmpeg(path: Path, number: int) -> int:
    """Whose tone is on the audio track that ffmpeg calls a:number."""
    args = ("-map", f"0:a:{number}", "-ac", "1", "-ar", str(RATE_HZ), "-f", "f32le", "pipe:1")
    return track_heard(np.frombuffer(ffmpeg("-i", f"file:{path}", *args), "<f4").reshape(-1, 1))


def with_unknown_codec(path: Path, which: int) -> None:
    """Give one of two ac3 tracks a codec that nobody has."""
    data, container = path.read_bytes(), path.suffix
    if container == ".mkv":
        places = [at for at in range(len(data)) if data.startswith(b"A_AC3", at)]
    elif container == ".avi":
        places = [at + 8 for at in range(len(data)) if data.startswith(b"strf", at)][1:]  # the video's comes first
    else:
        places = [
            at + 16 for at in range(len(data)) if data.startswith(b"stsd", at) and data[at + 16 : at + 20] == b"ac-3"
        ]
    new = {".mkv": b"A_XYZ", ".avi": b"\xef\xbe"}.get(container, b"xyz3")
    at = places[which]
    path.write_bytes(data[:at] + new + data[at + len(new) :])


def without_samples(path: Path, which: int) -> None:
    """Take all entries out of the tables of one track of an mp4 or mov file, whose video comes first."""
    data = bytearray(path.read_bytes())
    for name, count_at in ((b"stts", 8), (b"stsc", 8), (b"stsz", 12), (b"stco", 8)):
        at = [place for place in range(len(data)) if data.startswith(name, place)][1 + which] + count_at
        data[at : at + 4] = bytes(4)
    path.write_bytes(data)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    "layouts", [("stereo", "stereo"), ("mono", "stereo", "stereo"), ("stereo", "5.1"), ("5.1", "mono")]
)
@pytest.mark.parametrize("default", [None, 0, 1])
def test_the_track_is_ffmpegs_own_choice(
    tmp_path: Path, container: str, layouts: tuple[str, ...], default: int | None
) -> None:
    """By its default flag where the container has one, else by its channels, else the first."""
    flags = [f"-disposition:a:{number}" for number in range(len(layouts))]
    values = ["default" if number == default else "0" for number in range(len(layouts))]
    options = [word for pair in zip(flags, values, strict=True) for word in pair]
    path = film(tmp_path / f"film.{container}", layouts, *options)
    assert chosen(path) == of_ffmpeg(path)
    if default is not None and container == "mkv":
        assert chosen(path) == default


@pytest.mark.parametrize("container", CONTAINERS)
def test_each_track_can_be_asked_for(tmp_path: Path, container: str) -> None:
    """By its number among the audio tracks, as ffmpeg counts them; one more is refused with those that there are."""
    path = film(tmp_path / f"film.{container}", ("stereo", "mono", "stereo"))
    assert [chosen(path, number) for number in range(3)] == [0, 1, 2]
    for number in (3, 4, 2**31 - 1):
        rejected = refused(path, number)
        assert rejected.code is Code.REQUEST_INVALID
        assert f"no audio track {number}; the file's are 0 (ac3, 44100 Hz, stereo" in rejected.message
        assert "1 (ac3, 44100 Hz, mono" in rejected.message


def test_the_only_track_can_be_asked_for(tmp_path: Path) -> None:
    """It has the number 0, and there is no other."""
    path = film(tmp_path / "song.mka", ("stereo",), video=False)
    assert chosen(path, 0) == 0
    assert refused(path, 1).message.startswith("there is no audio track 1; the only one is 0 (ac3, 44100 Hz, stereo")


@pytest.mark.parametrize("container", ["mkv", "mp4", "mov", "avi"])
@pytest.mark.parametrize("which", [0, 1])
def test_what_cannot_be_decoded_is_passed_over(tmp_path: Path, container: str, which: int) -> None:
    """Whatever flag it has: the other track is taken; who asks for it is told why not, and what else there is."""
    path = film(tmp_path / f"film.{container}", ("stereo", "stereo"), f"-disposition:a:{which}", "default")
    with_unknown_codec(path, which)
    assert chosen(path) == 1 - which
    assert chosen(path, 1 - which) == 1 - which
    rejected = refused(path, which)
    assert rejected.code is Code.AUDIO_UNDECODABLE
    assert f"audio track {which} has an unknown codec; the file's are 0 (" in rejected.message


def test_damage_from_end_to_end_is_passed_over(tmp_path: Path) -> None:
    """A track of a known codec, but with nothing in it that can be decoded, is none to be taken."""
    damage = ("-bsf:a:1", "noise=amount=1", "-disposition:a:0", "0", "-disposition:a:1", "default")
    path = film(tmp_path / "film.mkv", ("stereo", "stereo"), *damage)
    assert chosen(path) == 0
    rejected = refused(path, 1)
    assert rejected.code is Code.AUDIO_UNDECODABLE
    assert "audio track 1 can't be decoded (" in rejected.message


@pytest.mark.parametrize("codec", ["pcm_s16le", "ac3"])
@pytest.mark.parametrize("container", ["mkv", "mov", "mp4", "avi", "asf"])
def test_an_empty_track_is_passed_over(tmp_path: Path, container: str, codec: str) -> None:
    """One without a packet, whatever flag it has; who asks for it is told."""
    codec = "aac" if (container, codec) == ("mp4", "pcm_s16le") else codec
    options = ("-c:a:0", codec, "-disposition:a:0", "default", "-disposition:a:1", "0")
    if container in ("mov", "mp4"):
        path = film(tmp_path / f"film.{container}", ("stereo", "mono"), *options)
        without_samples(path, 0)
    else:
        path = film(tmp_path / f"film.{container}", ("stereo", "mono"), "-bsf:a:0", DROP_ALL, *options)
    assert ffmpeg("-i", f"file:{path}", "-map", "0:a:1", "-c", "copy", "-f", "data", "pipe:1")
    assert chosen(path) == 1
    rejected = refused(path, 0)
    assert rejected.code in (Code.AUDIO_EMPTY, Code.AUDIO_UNDECODABLE)
    assert rejected.message.startswith("audio track 0 ")


def test_where_every_track_is_empty_the_file_is(tmp_path: Path) -> None:
    """It is said to hold no samples, which is true."""
    path = film(tmp_path / "film.mkv", ("stereo", "stereo"), "-bsf:a", DROP_ALL, "-c:a", "pcm_s16le")
    assert refused(path).code is Code.AUDIO_EMPTY


def test_other_streams_are_not_counted(tmp_path: Path) -> None:
    """Pictures, subtitles, films and attachments between the tracks don't change their numbers."""
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nStream #0:0: Audio: mp3, 8000 Hz, mono (default)\n\n")
    picture = tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=16x16:rate=1", "-frames:v", "1", f"file:{picture}")
    tones = [("-f", "lavfi", "-i", f"aevalsrc=0.3*sin(2*PI*{hz}*t):d=2:s={RATE_HZ}") for hz in TONES_HZ[:2]]
    path = tmp_path / "film.mkv"
    ffmpeg(
        *("-i", f"file:{words}", "-i", f"file:{picture}", *tones[0], *tones[1]),
        *("-map", "0:s", "-map", "1:v", "-map", "2:a", "-map", "0:s", "-map", "1:v", "-map", "3:a"),
        *("-disposition:a:0", "0", "-disposition:a:1", "default", "-attach", str(words)),
        *("-metadata:s:t", "mimetype=text/plain", f"file:{path}"),
    )
    assert [chosen(path, number) for number in (0, 1)] == [0, 1]
    assert chosen(path) == 1


@pytest.mark.parametrize("disposition", ["hearing_impaired", "visual_impaired", "comment", "dub", "original+default"])
@pytest.mark.parametrize("which", [0, 1])
def test_other_flags_do_not_count(tmp_path: Path, disposition: str, which: int) -> None:
    """Commentaries and the like are as good as any other, as ffmpeg has it: the default flag alone decides."""
    other = f"-disposition:a:{1 - which}"
    path = film(tmp_path / "film.mkv", ("stereo", "stereo"), f"-disposition:a:{which}", disposition, other, "0")
    assert chosen(path) == of_ffmpeg(path)


def test_programmes_of_a_transport_stream(tmp_path: Path) -> None:
    """Tracks are counted through all programmes, in the order of their streams, once each."""
    programmes = ("-program", "title=A:st=0:st=2", "-program", "title=B:st=0:st=1:st=3")
    path = film(tmp_path / "film.ts", ("mono", "stereo", "stereo"), *programmes)
    assert sorted(chosen(path, number) for number in range(3)) == [0, 1, 2]
    assert chosen(path) == of_ffmpeg(path)
    assert "the file's are 0 (ac3, 44100 Hz, " in refused(path, 3).message


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_sound_that_begins_late_is_found(tmp_path: Path, layout: str) -> None:
    """Behind what ffmpeg looks through for headers: what these don't tell is learnt from the sound itself."""
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    wave = "|".join([f"0.3*sin(2*PI*{TONES_HZ[0]}*t)"] * channels)
    sound = ("-itsoffset", "20", "-f", "lavfi", "-i", f"aevalsrc={wave}:d=3:s={RATE_HZ}:c={layout}")
    path = tmp_path / "film.ts"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=320x240:rate=10:duration=23", *sound, "-c:v", "mpeg4", "-b:v", "8M",
           "-map", "0:v", "-map", "1:a", "-c:a", "ac3", f"file:{path}")  # fmt: skip
    with Decoder(FFMPEG, path, rate_hz=RATE_HZ, max_s=60.0) as decoder:
        samples = decoder.read(30 * RATE_HZ)
        assert (decoder.facts.channels, decoder.facts.sample_rate_hz) == (channels, RATE_HZ)
    assert track_heard(samples[-RATE_HZ:]) == 0
    assert np.abs(samples).max(axis=0).min() > 0.2


def test_a_file_without_sound_has_no_track(tmp_path: Path) -> None:
    """A film of pictures alone is refused in the same way, whichever track is asked for."""
    path = tmp_path / "film.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32:rate=5:duration=1", f"file:{path}")
    for track in (None, 0, 7):
        rejected = refused(path, track)
        assert rejected.code is Code.AUDIO_UNDECODABLE
        assert rejected.message == "the file holds no audio stream that can be decoded"


def test_the_separator_takes_the_track(separator: Harness, tmp_path: Path) -> None:
    """The track that a request names is separated, and the result tells which one it was, asked for or not."""
    path = film(tmp_path / "film.mkv", ("stereo", "stereo"), "-disposition:a:0", "0", "-disposition:a:1", "default")
    for track, expected in ((None, 1), (0, 0), (1, 1)):
        separation = separator.separate(path, format="wav-f32", high_frequencies="average", track=track)
        assert separation.audio.track == expected
        assert track_heard(np.sum([decode_file(stem.path) for stem in separation.stems], axis=0)) == expected
    with pytest.raises(Rejected) as caught:
        separator.separate(path, track=2)
    assert caught.value.code is Code.REQUEST_INVALID
