"""MP4, QuickTime and Matroska: edit lists, fragments, several tracks, gaps, what ffmpeg and Apple call them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from consumer.core.errors import Code
from harness.corpus.encoding import encode
from harness.corpus.signal import Signal
from harness.corpus.specimen import LOSSY, Precision, Specimen, Truth, exact

_SIGNAL = Signal()
_AT_48 = Signal(rate_hz=48000, frames=24000)
_FRAME = 1024
_AAC = ("-c:a", "aac", "-b:a", "192k")
_VIDEO = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=0.5")


def specimens() -> Iterator[Specimen]:
    yield from _mp4()
    yield from _pcm()
    yield from _matroska()
    yield from _tracks()
    yield from _gaps()


def _one(name: str, options: Sequence[str], truth: Truth, other: str = "pyav", inputs: Sequence[str] = ()) -> Specimen:
    make = partial(_encoded, truth.signal, options, inputs)
    return Specimen(name=f"movies/{name}", make=make, holds=truth, other=other)


def _encoded(signal: Signal, options: Sequence[str], inputs: Sequence[str], path: Path) -> None:
    encode(path, signal, *options, inputs=inputs)


def _mp4() -> Iterator[Specimen]:
    aac = Truth(precision=LOSSY)
    # Without an edit list nothing says that the encoder put its frame in front.
    padded = Truth(precision=replace(LOSSY, length_frames=_FRAME))  # nothing tells the end to the sample
    unsaid = Truth(precision=replace(LOSSY, length_frames=_FRAME), late_frames=_FRAME)
    for name, options, truth in (
        ("aac.m4a", _AAC, aac),
        ("aac.mp4", _AAC, aac),
        ("aac.mov", _AAC, aac),
        ("aac-index-first.m4a", (*_AAC, "-movflags", "+faststart"), aac),
        ("aac-no-edit-list.m4a", (*_AAC, "-use_editlist", "0"), unsaid),
        ("aac-fragments.mp4", (*_AAC, "-movflags", "+frag_keyframe+empty_moov"), unsaid),
        ("aac-short-fragments.mp4", (*_AAC, "-movflags", "+empty_moov", "-frag_duration", "50000"), unsaid),
        ("aac-cmaf.mp4", (*_AAC, "-movflags", "+cmaf", "-frag_duration", "100000"), unsaid),
        ("aac-dash.mp4", (*_AAC, "-movflags", "+dash+delay_moov", "-frag_duration", "100000"), padded),
        ("alac.m4a", ("-c:a", "alac"), Truth()),
        ("alac-24.m4a", ("-c:a", "alac", "-sample_fmt", "s32p"), Truth(precision=exact(24))),
        ("flac.mp4", ("-c:a", "flac", "-strict", "-2"), Truth()),
        ("opus.mp4", ("-c:a", "libopus", "-b:a", "160k"), Truth(signal=_AT_48, precision=LOSSY)),
        ("mp3.mp4", ("-c:a", "libmp3lame", "-b:a", "192k"), Truth(precision=replace(LOSSY, length_frames=1152))),
        ("ac3.mp4", ("-c:a", "ac3", "-b:a", "384k"), Truth(precision=replace(LOSSY, length_frames=1536))),
        ("eac3.mov", ("-c:a", "eac3", "-b:a", "384k"), Truth(precision=replace(LOSSY, length_frames=1536))),
    ):  # fmt: skip
        yield _one(name, options, truth)
    yield _one("aac-with-video.mp4", ("-map", "0:a", "-map", "1:v", "-c:v", "mpeg4", *_AAC), aac, inputs=_VIDEO)
    yield _one("aac-video-first.mov", ("-map", "1:v", "-map", "0:a", "-c:v", "mpeg4", *_AAC), aac, inputs=_VIDEO)


def _pcm() -> Iterator[Specimen]:
    for codec, bits in (
        ("pcm_s16le", 16), ("pcm_s16be", 16), ("pcm_s24le", 24), ("pcm_s24be", 24), ("pcm_s32le", 32),
        ("pcm_f32le", 24), ("pcm_f64be", 24), ("pcm_s8", 8), ("pcm_u8", 8),
    ):  # fmt: skip
        yield _one(f"{codec}.mov", ("-c:a", codec), Truth(precision=exact(bits)))
    # FFmpeg's writer calls it 16 bits, and no reader can tell.
    for channels in (1, 2, 6):
        name, signal = f"pcm_s64le-{channels}.mov", Signal(channels=channels)
        make = partial(_encoded, signal, ("-c:a", "pcm_s64le", "-strict", "-2"), ())
        yield Specimen(name=f"movies/{name}", make=make, holds=Code.AUDIO_UNDECODABLE, other=None)
    for codec in ("pcm_alaw", "pcm_mulaw"):
        yield _one(f"{codec}.mov", ("-c:a", codec), Truth(precision=Precision(noise_db=-30.0, gain_db=0.1)))
    for codec, bits in (("pcm_s16le", 16), ("pcm_s24be", 24), ("pcm_f32be", 24)):
        yield _one(f"{codec}.mp4", ("-c:a", codec), Truth(precision=exact(bits)))


def _matroska() -> Iterator[Specimen]:
    for name, options, truth in (
        ("pcm.mkv", ("-c:a", "pcm_s16le"), Truth()),
        ("pcm-24.mka", ("-c:a", "pcm_s24le"), Truth(precision=exact(24))),
        ("pcm-f32.mkv", ("-c:a", "pcm_f32le"), Truth(precision=exact(24))),
        ("pcm-be.mkv", ("-c:a", "pcm_s16be"), Truth()),
        ("flac.mkv", ("-c:a", "flac"), Truth()),
        ("alac.mkv", ("-c:a", "alac"), Truth()),
        ("tta.mka", ("-c:a", "tta"), Truth()),
        ("wavpack.mka", ("-c:a", "wavpack"), Truth()),
        ("vorbis.mkv", ("-c:a", "libvorbis"), Truth(precision=replace(LOSSY, length_frames=_FRAME))),
        ("vorbis.webm", ("-c:a", "libvorbis"), Truth(precision=replace(LOSSY, length_frames=_FRAME))),
        ("opus.webm", ("-c:a", "libopus", "-b:a", "160k"), Truth(signal=_AT_48, precision=LOSSY)),
        ("opus.mkv", ("-c:a", "libopus", "-b:a", "160k"), Truth(signal=_AT_48, precision=LOSSY)),
        ("opus-live.webm", ("-c:a", "libopus", "-b:a", "160k", "-live", "1"), Truth(signal=_AT_48, precision=LOSSY)),
        ("flac-live.mkv", ("-c:a", "flac", "-live", "1"), Truth()),
        ("aac.mkv", _AAC, Truth(precision=replace(LOSSY, length_frames=_FRAME))),
        ("mp3.mkv", ("-c:a", "libmp3lame", "-b:a", "192k"), Truth(precision=replace(LOSSY, length_frames=1152))),
        ("mp2.mkv", ("-c:a", "mp2", "-b:a", "192k"), Truth(precision=replace(LOSSY, length_frames=1152))),
        ("ac3.mkv", ("-c:a", "ac3", "-b:a", "384k"), Truth(precision=replace(LOSSY, length_frames=1536))),
        ("small-clusters.mkv", ("-c:a", "flac", "-cluster_time_limit", "20"), Truth()),
    ):  # fmt: skip
        yield _one(name, options, truth)
    film = ("-map", "1:v", "-map", "0:a", "-c:v", "libvpx", "-c:a", "libopus", "-b:a", "160k")
    yield _one("opus-with-video.webm", film, Truth(signal=_AT_48, precision=LOSSY), inputs=_VIDEO)


def _tracks() -> Iterator[Specimen]:
    """The one to be heard is the default one; the others are silence of another length."""
    silence = ("-f", "lavfi", "-i", "anullsrc=r=44100:cl=stereo:d=0.7")
    for name, first, second, dispositions in (
        ("default-second.mkv", "1:a", "0:a", ("-disposition:a:0", "0", "-disposition:a:1", "default")),
        ("default-first.mkv", "0:a", "1:a", ("-disposition:a:0", "default", "-disposition:a:1", "0")),
        ("default-second.mov", "1:a", "0:a", ("-disposition:a:0", "0", "-disposition:a:1", "default")),
    ):
        chosen = ("-map", first, "-map", second, "-c:a", "pcm_s16le", *dispositions)
        yield _one(f"tracks-{name}", chosen, Truth(), inputs=silence)
    options = ("-map", "0:a", "-map", "1:a", "-c:a", "pcm_s16le", "-disposition:a", "0")
    yield _one("tracks-no-default.mkv", options, Truth(), inputs=silence)


def _gaps() -> Iterator[Specimen]:
    """Packets between two moments are not there: silence stands in for them, and all behind keeps its place."""
    signal = Signal(frames=88200)
    # Timestamps in milliseconds move what lies behind by half of one, so that tones don't fit any more.
    precision = Precision(noise_db=20.0, gain_db=20.0, length_frames=1200, start_frames=64)
    for name, options in {
        "flac.mkv": ("-c:a", "flac", "-frame_size", "1152"), "pcm.mkv": ("-c:a", "pcm_s16le"), "aac.mp4": _AAC,
        "opus.webm": ("-c:a", "libopus", "-b:a", "160k"),
    }.items():  # fmt: skip
        held = Signal(rate_hz=48000, frames=96000) if "opus" in name else signal
        truth = Truth(signal=held, precision=precision, silences_s=((0.7, 1.2),))
        yield _one(f"gap-{name}", (*options, "-bsf:a", r"noise=drop=between(pts*tb\,0.7\,1.2)"), truth)
    precision = Precision(noise_db=-15.0, gain_db=1.0, length_frames=1200, start_frames=1)
    late = Truth(signal=_SIGNAL, precision=precision, late_frames=22050)
    yield Specimen(name="movies/later-than-video.mkv", make=_later, holds=late, other="pyav")


def _later(path: Path) -> None:
    """Half a second of picture before the sound begins."""
    video = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=1")
    moved = ("-c:a", "pcm_s16le", "-bsf:a", "setts=ts=TS+0.5/TB")
    encode(path, _SIGNAL, "-map", "1:v", "-map", "0:a", "-c:v", "mpeg4", *moved, inputs=video)
