"""MPEG audio: layers II and III, with and without the headers that make mp3 gapless, and what is put around frames."""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import soundfile

from harness.corpus.encoding import encode, encode_samples, encoding
from harness.corpus.riff import Layout, fmt, riff
from harness.corpus.signal import Signal
from harness.corpus.specimen import LOSSY, Precision, Specimen, Truth

_SIGNAL = Signal()
# Nothing in the file says what an encoder has put in front and behind: LAME's 576 samples and a decoder's 529.
_UNSAID = Truth(precision=replace(LOSSY, length_frames=1152 * 2), late_frames=1105)
_JOINED = Precision(noise_db=-9.0, gain_db=1.0)
_MIXED = Precision(noise_db=0.0, gain_db=1.0)  # parts whose channels differ are no single mix
_LONGER, _FEW_MORE = Signal(frames=88200), replace(_JOINED, length_frames=3456, start_frames=2400)
_LAYER_2 = Truth(precision=replace(LOSSY, length_frames=1152), late_frames=481)


def specimens() -> Iterator[Specimen]:
    truth = Truth(precision=LOSSY)
    for name, options in {
        "cbr": ("-b:a", "192k"), "vbr-0": ("-q:a", "0"), "vbr-5": ("-q:a", "4"), "abr": ("-abr", "1", "-b:a", "160k"),
        "left-and-right": ("-joint_stereo", "0", "-b:a", "192k"), "320k": ("-b:a", "320k"),
        "id3v2.3": ("-id3v2_version", "3", "-metadata", "title=A name", "-b:a", "192k"),
        "id3v2.4": ("-id3v2_version", "4", "-metadata", "title=A name", "-b:a", "192k"),
        "id3v1": ("-write_id3v1", "1", "-metadata", "title=A name", "-b:a", "192k"),
    }.items():  # fmt: skip
        yield _one(f"{name}.mp3", encoding(_SIGNAL, *options), truth)
    yield _one("by-libsndfile.mp3", _by_libsndfile, truth)
    mono = Signal(channels=1)
    yield _one("mono.mp3", encoding(mono, "-b:a", "96k"), Truth(signal=mono, precision=LOSSY))
    for name, options in {"no-xing": ("-b:a", "192k"), "no-xing-vbr": ("-q:a", "2")}.items():
        yield _one(f"{name}.mp3", encoding(_SIGNAL, "-write_xing", "0", *options), _UNSAID)
    yield _one("no-xing-nor-id3.mp3", _bare, _UNSAID)
    for name, (front, back) in {
        "zeros-in-front": (bytes(3000), b""),
        "text-in-front": (b"Dear all, here is the song. " * 50, b""),
        "two-id3-in-front": ((b"ID3\3\0\0\0\0\0\x14" + bytes(20)) * 2, b""),
        "long-id3-in-front": (b"ID3\4\0\0\0\1\x00\0" + bytes(16384), b""),
        "ape-tag-behind": (b"", b"APETAGEX\xd0\7\0\0" + (32).to_bytes(4, "little") + bytes(16)),
        "lyrics-behind": (b"", b"LYRICSBEGIN" + b"IND00002" + b"00" + b"000021" + b"LYRICS200"),
        "zeros-behind": (b"", bytes(5000)),
        "half-a-frame-behind": (b"", b"\xff\xfb\x90\x64" + bytes(100)),
        "junk-around": (b"\xff\xfb no frame \xff\xfb\x90\x64" * 20, b"\0\xff\xfb\x90\x64 none either" * 30),
        "id3-and-zeros-in-front": (b"ID3\3\0\0\0\0\0\x14" + bytes(20) + bytes(2000), b""),
        "zeros-and-id3v1-behind": (b"", bytes(3000) + b"TAG" + b"A name".ljust(125, b"\0")),
        "zeros-and-ape-tag-behind": (b"", bytes(3000) + b"APETAGEX\xd0\7\0\0" + (32).to_bytes(4, "little") + bytes(16)),
    }.items():
        yield _one(f"{name}.mp3", partial(_around, front, back), truth)
    for signal in (Signal(rate_hz=22050), Signal(rate_hz=11025, channels=1), Signal(rate_hz=48000, channels=1)):
        name = f"junk-around-{signal.rate_hz}-{signal.channels}.mp3"
        yield _one(name, partial(_around, bytes(3000), bytes(5000), signal=signal), replace(truth, signal=signal))
    whole = Signal(frames=66150)
    for name, between in {
        "joined": b"", "joined-id3-between": b"TAG" + bytes(125) + b"ID3\3\0\0\0\0\0\x14" + bytes(20),
        "joined-zeros-between": bytes(3000),
    }.items():  # fmt: skip
        make = partial(_joined, whole, between, ((2, 44100), (2, 44100), (2, 44100)))
        yield _one(f"{name}.mp3", make, Truth(signal=whole, precision=_JOINED))
    make = partial(_joined, whole, b"", ((1, 44100), (2, 48000), (2, 22050)))
    mixed = Truth(signal=whole, precision=_MIXED, mix=((1.0, 1.0), (1.0, 1.0)), is_mix_exact=False)
    yield Specimen(name="mpeg/joined-of-all-kinds.mp3", make=make, holds=mixed, other=None)
    yield _one("in-riff.wav", partial(_in_riff, b"RIFF", 30), truth)
    for fmt_bytes in (16, 18, 30):
        yield _one(f"in-rifx-fmt-of-{fmt_bytes}.wav", partial(_in_riff, b"RIFX", fmt_bytes), truth)
    unsaid_end = Truth(precision=replace(LOSSY, length_frames=1152))  # where the header doesn't fit what follows it
    for name, frames, size in (
        ("frames-halved", 0.5, 1.0), ("frames-doubled", 2.0, 1.0),
        ("bytes-halved", 1.0, 0.5), ("bytes-doubled", 1.0, 2.0),
        ("both-halved", 0.5, 0.5), ("both-doubled", 2.0, 2.0),
    ):  # fmt: skip
        is_size_alone = frames == 1.0
        yield _one(f"header-{name}.mp3", partial(_with_header, frames, size), truth if is_size_alone else unsaid_end)
    yield _one("first-frame-unlike.mp3", partial(_unlike, ("-b:a", "192k")), truth)
    yield _one("first-frame-unlike-no-xing.mp3", partial(_unlike, ("-b:a", "192k", "-write_xing", "0")), _UNSAID)
    yield _one("first-frame-unlike.mp2", partial(_unlike, ("-b:a", "192k")), _LAYER_2)
    yield _one("header-before-a-few-more.mp3", _with_a_few_more, Truth(signal=_LONGER, precision=_FEW_MORE))
    free = Signal(rate_hz=48000, frames=24000)
    late = Truth(signal=free, precision=replace(LOSSY, length_frames=2304), late_frames=1105)
    yield _one("free-format.mp3", partial(_free_format, free, "mp3"), late)
    layer_2 = replace(_LAYER_2, signal=free)
    yield _one("free-format.mp2", partial(_free_format, free, "mp2"), layer_2)
    for name, rate_hz in (("mp2", 44100), ("mp2-24", 24000)):
        signal = Signal(rate_hz=rate_hz, frames=rate_hz // 2)
        yield Specimen(
            name=f"mpeg/{name}.mp2",
            make=encoding(signal, "-c:a", "mp2", "-b:a", "160k"),
            holds=replace(_LAYER_2, signal=signal),
            other="mpg123",
        )


def _one(name: str, make: Callable[[Path], object], truth: Truth) -> Specimen:
    return Specimen(name=f"mpeg/{name}", make=make, holds=truth, other="mpg123")


def _by_libsndfile(path: Path) -> None:
    soundfile.write(path, _SIGNAL.samples(), 44100, format="MP3", subtype="MPEG_LAYER_III")


def _bare(path: Path) -> None:
    encode(path, _SIGNAL, "-write_xing", "0", "-id3v2_version", "0", "-b:a", "192k")


def _around(front: bytes, back: bytes, path: Path, *, signal: Signal = _SIGNAL) -> None:
    encode(path, signal, "-q:a", "0", "-id3v2_version", "0")
    path.write_bytes(front + path.read_bytes() + back)


def _joined(whole: Signal, between: bytes, kinds: Sequence[tuple[int, int]], path: Path) -> None:
    """Files one behind the other, each with a header of its own, and with channels and a rate of its own."""
    parts = []
    for number, (channels, rate_hz) in enumerate(kinds):
        frames = rate_hz * whole.frames // whole.rate_hz
        first, end = (frames * place // len(kinds) for place in (number, number + 1))
        part = Signal(rate_hz=rate_hz, frames=frames).samples()[first:end]
        part = part.mean(axis=1, keepdims=True) if channels == 1 else part
        options = ("-b:a", "192k" if rate_hz > 24000 else "160k", "-id3v2_version", "0")
        parts.append(encode_samples(path, part, rate_hz, *options).read_bytes())
    path.write_bytes(between.join(parts))


def _in_riff(magic: bytes, fmt_bytes: int, path: Path) -> None:
    """With LAME's header in front, as of a file of its own."""
    end = ">" if magic == b"RIFX" else "<"
    frames = encode_samples(path.with_suffix(".mp3"), _SIGNAL.samples(), 44100, "-b:a", "192k", "-id3v2_version", "0")
    extra = struct.pack(f"{end}HHIHHH", fmt_bytes - 18 if fmt_bytes > 16 else 0, 1, 2, 626, 1, 1393)
    body = fmt(0x55, 2, 44100, 0, end=end, frame_bytes=1, extra=extra)[:fmt_bytes]
    path.write_bytes(riff(Layout(magic=magic, fmt=body), frames.read_bytes()))


def _with_header(frames: float, size: float, path: Path) -> None:
    """LAME's header tells of so many times the frames and the bytes that there are."""
    encode(path, _SIGNAL, "-q:a", "0", "-id3v2_version", "0")
    data = bytearray(path.read_bytes())
    tag = max(data.find(b"Xing"), data.find(b"Info")) + 8
    told = struct.unpack_from(">II", data, tag)
    struct.pack_into(">II", data, tag, round(told[0] * frames), round(told[1] * size))
    path.write_bytes(data)


def _unlike(options: Sequence[str], path: Path) -> None:
    """Of the first frame of sound the head says that there is a copyright, and no other's: that may change anywhere."""
    bare = ("-id3v2_version", "0") if path.suffix == ".mp3" else ()
    encode(path, _SIGNAL, *options, *bare)
    data = bytearray(path.read_bytes())
    has_header = b"Info" in data[:64]
    place = 144 * 192_000 // 44100 + (data[2] >> 1 & 1) if has_header else 0
    assert data[place] == 0xFF
    data[place + 3] ^= 8
    path.write_bytes(data)


def _with_a_few_more(path: Path) -> None:
    """Frames without a header behind a file with one, so few that its size seems right."""
    samples, border = _LONGER.samples(), 1152 * 74
    options = ("-b:a", "192k", "-id3v2_version", "0")
    first = encode_samples(path, samples[:border], 44100, *options).read_bytes()
    more = encode_samples(path, samples[border:], 44100, *options, "-write_xing", "0").read_bytes()
    path.write_bytes(first + more)


def _free_format(signal: Signal, extension: str, path: Path) -> None:
    """Frames of one size, without their bit rate: that is what free format is (ISO/IEC 11172-3, 2.4.2.3)."""
    bare = ("-write_xing", "0", "-id3v2_version", "0") if extension == "mp3" else ()
    encode(path, signal, "-b:a", "128k", *bare)
    data = bytearray(path.read_bytes())
    size = 144 * 128_000 // signal.rate_hz
    for place in range(0, len(data) - size + 1, size):
        assert data[place] == 0xFF
        data[place + 2] &= 0x0F
    path.write_bytes(data)
