"""Transport and program streams, FLV, AVI, ASF, and codecs in files of their own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.corpus.encoding import encode
from harness.corpus.signal import Signal
from harness.corpus.specimen import LOSSY, Precision, Specimen, Truth, exact

_SIGNAL = Signal()
_AAC = ("-c:a", "aac", "-b:a", "192k")
# Its last frame is filled up, and the file does not say by how much.
_WMA = Truth(precision=replace(LOSSY, length_frames=4096))
_AT_32, _AT_16 = Signal(rate_hz=32000, frames=16000), Signal(rate_hz=16000, frames=16000)
_WIDE = Signal(channels=1, rate_hz=16000, frames=16000)
_G722 = Truth(signal=_WIDE, precision=Precision(noise_db=6.0, gain_db=6.0, start_frames=500))
_SPEECH = Signal(channels=1, rate_hz=8000, frames=8000)


def _padded(frame: int, late: int = 0, signal: Signal = _SIGNAL) -> Truth:
    """Whole frames of a codec, and what its encoder puts in front; the file says nothing of either."""
    return Truth(signal=signal, precision=replace(LOSSY, length_frames=frame), late_frames=late)


def specimens() -> Iterator[Specimen]:
    for name, options, truth in (
        ("aac.ts", _AAC, _padded(2048, 1024)),
        ("mp2.ts", ("-c:a", "mp2", "-b:a", "192k"), _padded(1152, 481)),
        ("mp3.ts", ("-c:a", "libmp3lame", "-b:a", "192k"), _padded(2304, 1105)),
        ("ac3.ts", ("-c:a", "ac3", "-b:a", "384k"), _padded(1536, 256)),
        ("eac3.ts", ("-c:a", "eac3", "-b:a", "384k"), _padded(1536, 256)),
        ("aac.m2ts", _AAC, _padded(2048, 1024)),
        ("mp2.mpg", ("-c:a", "mp2", "-b:a", "192k"), _padded(1152, 481)),
        ("ac3.vob", ("-c:a", "ac3", "-b:a", "384k"), _padded(1536, 256)),
        ("aac.flv", _AAC, _padded(2048, 1024)),
        ("mp3.flv", ("-c:a", "libmp3lame", "-b:a", "192k"), _padded(2304, 1105)),
        ("pcm.flv", ("-c:a", "pcm_s16le"), Truth()),
        ("pcm.avi", ("-c:a", "pcm_s16le"), Truth()),
        ("pcm-24.avi", ("-c:a", "pcm_s24le"), Truth(precision=exact(24))),
        ("mp3.avi", ("-c:a", "libmp3lame", "-b:a", "192k"), _padded(2304, 1105)),
        ("ac3.avi", ("-c:a", "ac3", "-b:a", "384k"), _padded(1536, 256)),
        ("wma1.wma", ("-c:a", "wmav1", "-b:a", "192k"), _WMA),
        ("wma2.wma", ("-c:a", "wmav2", "-b:a", "192k"), _WMA),
        ("wma2.asf", ("-c:a", "wmav2", "-b:a", "192k"), _WMA),
        ("wma1.avi", ("-c:a", "wmav1", "-b:a", "192k"), _WMA),
        ("wma2.avi", ("-c:a", "wmav2", "-b:a", "192k"), _WMA),
        ("wma2.wav", ("-c:a", "wmav2", "-b:a", "192k"), _WMA),
        ("wma2.mkv", ("-c:a", "wmav2", "-b:a", "192k"), _WMA),
        ("wma1-32000.wma", ("-c:a", "wmav1", "-b:a", "128k"), replace(_WMA, signal=_AT_32)),
        ("wma2-16000.wma", ("-c:a", "wmav2", "-b:a", "64k"), replace(_WMA, signal=_AT_16)),
        # FFmpeg counts their chunks at another length than they have: minutes of silence between them.
        ("g722.avi", ("-c:a", "g722"), _G722),
        ("eac3.avi", ("-c:a", "eac3", "-b:a", "384k"), _padded(1536, 256)),
        ("vorbis.avi", ("-c:a", "libvorbis", "-q:a", "5"), Truth(precision=replace(LOSSY, length_frames=1024))),
        ("pcm.asf", ("-c:a", "pcm_s16le"), Truth()),
        ("plain.aac", _AAC, _padded(2048, 1024)),
        ("plain.ac3", ("-b:a", "384k"), _padded(1536, 256)),
        ("plain.eac3", ("-b:a", "384k"), _padded(1536, 256)),
        ("plain.tta", (), Truth()),
        ("24-bits.tta", ("-sample_fmt", "s32"), Truth(precision=exact(24))),
    ):  # fmt: skip
        yield _one(name, options, truth)
    for name, options, precision in (
        ("s16.wv", ("-sample_fmt", "s16p"), exact(16)), ("s32.wv", ("-sample_fmt", "s32p"), exact(24)),
        ("f32.wv", ("-sample_fmt", "fltp"), exact(24)), ("u8.wv", ("-sample_fmt", "u8p"), exact(8)),
    ):  # fmt: skip
        yield _one(name, options, Truth(precision=precision), "wvunpack")
    mono = Signal(channels=1)
    yield _one("mono.wv", (), Truth(signal=mono), "wvunpack")
    # It is made for voices: nothing of a tone is certain but that it is there.
    coarse = Precision(noise_db=10.0, gain_db=12.0, length_frames=200, start_frames=40)
    speech = Truth(signal=_SPEECH, precision=coarse)
    yield _one("narrow-band.amr", ("-b:a", "12.2k"), speech)
    for name, options in {"16": ("-sample_fmt", "s16"), "24": ("-sample_fmt", "s32")}.items():
        yield _one(f"{name}-bits.flac", options, Truth(precision=exact(int(name))), "flac")
    yield _one("small-blocks.flac", ("-frame_size", "192"), Truth(), "flac")
    yield _one("large-blocks.flac", ("-frame_size", "16384"), Truth(), "flac")
    for channels, bits in ((1, 16), (2, 24)):
        signal = Signal(channels=channels)
        yield Specimen(
            name=f"broadcast/id3-in-front-{channels}.flac",
            make=partial(_behind_id3, signal),
            holds=Truth(signal=signal),
            other="libsndfile" if bits == 24 else "flac",
        )


def _one(name: str, options: Sequence[str], truth: Truth, other: str = "pyav") -> Specimen:
    make = partial(_encoded, truth.signal, options)
    return Specimen(name=f"broadcast/{name}", make=make, holds=truth, other=other)


def _encoded(signal: Signal, options: Sequence[str], path: Path) -> None:
    encode(path, signal, *options)


def _behind_id3(signal: Signal, path: Path) -> None:
    encode(path, signal)
    path.write_bytes(b"ID3\4\0\0\0\0\0\x14" + bytes(20) + path.read_bytes())
