"""Ogg: Vorbis, Opus and FLAC; links in a chain; positions, gains and pages that are unusual."""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import soundfile

from consumer.core.errors import Code
from harness.corpus.encoding import encode, encode_samples, encoding
from harness.corpus.signal import Signal
from harness.corpus.specimen import LOSSY, Precision, Specimen, Truth

_SIGNAL = Signal()
_OPUS = Signal(rate_hz=48000, frames=24000)
_MIXED = Precision(noise_db=-9.0, gain_db=1.0)  # two links whose channels differ are no single mix
_JOINED = Precision(noise_db=-12.0, gain_db=1.0)  # links that meet
# A first page that tells of less than it holds: so much is not to be heard (Vorbis I, A.2).
_CUT = Truth(precision=LOSSY, late_frames=-500)


def specimens() -> Iterator[Specimen]:
    yield from _single()
    yield from _opus()
    yield from _chained()


def _single() -> Iterator[Specimen]:
    truth = Truth(precision=LOSSY)
    coarse = Truth(precision=Precision(noise_db=-10.0, gain_db=2.0, length_frames=64))  # it does not say where it ends
    yield _one("libvorbis.ogg", _by_libvorbis, truth, "oggdec")
    yield _one("quality-9.ogg", encoding(_SIGNAL, "-q:a", "9"), truth, "oggdec")
    yield _one(
        "native-encoder.ogg", encoding(_SIGNAL, "-c:a", "vorbis", "-strict", "-2", "-q:a", "9"), coarse, "oggdec"
    )
    yield _one("small-pages.ogg", encoding(_SIGNAL, "-page_duration", "1000"), truth, "oggdec")
    yield _one("one-page.ogg", encoding(_SIGNAL, "-page_duration", "60000000"), truth, "oggdec")
    yield _one(
        "mono.oga",
        encoding(Signal(channels=1), "-c:a", "libvorbis"),
        Truth(signal=Signal(channels=1), precision=LOSSY),
        "oggdec",
    )
    yield _one("flac.oga", encoding(_SIGNAL, "-c:a", "flac"), Truth(), "flac")
    yield _one("flac-24.oga", encoding(_SIGNAL, "-c:a", "flac", "-sample_fmt", "s32"), Truth(), "flac")
    broadcast = Truth(precision=replace(LOSSY, length_frames=1024))  # where it began is not said
    yield _one("of-a-broadcast.ogg", _of_a_broadcast, broadcast, "oggdec")
    lying = Truth(precision=replace(LOSSY, length_frames=1024))  # libvorbis takes off no more than a block
    for name, position in (("1", 1), ("too-low", -3000), ("too-high", 1_000_000)):
        yield _one(f"last-position-{name}.ogg", partial(_with_last_position, position), lying, "oggdec")
    yield from _with_other_positions(lying)
    yield _one("junk-in-front.ogg", partial(_with_junk, b"\0" * 500, b""), truth, "oggdec")
    yield _one("junk-behind.ogg", partial(_with_junk, b"", b"TAG" + bytes(125)), truth, "oggdec")
    yield _one("video-beside.ogv", _with_video, truth, "pyav")


def _with_other_positions(lying: Truth) -> Iterator[Specimen]:
    """Of every page, in many pages and in one."""
    lies: dict[str, Callable[[int, bool], int]] = {
        "halved": lambda position, _: position // 2, "a-third": lambda position, _: position // 3,
        "at-another-rate": lambda position, _: position * 44100 // 48000, "all-1": lambda *_: 1,
    }  # fmt: skip
    for name, told in lies.items():
        for duration in ("20000", "1000000"):
            make = partial(_with_positions, told, duration)
            yield _one(f"positions-{name}-{duration}.ogg", make, lying, "oggdec")
    others: dict[str, tuple[Callable[[int, bool], int], Truth]] = {
        "in-two-runs": (lambda position, _: position if position < 11025 else position - 11025, lying),
        "from-500-on": (lambda position, _: position + 500, Truth(precision=LOSSY)),
        "500-less": (lambda position, _: position - 500, _CUT),
    }
    for name, (told, truth) in others.items():
        yield _one(f"positions-{name}.ogg", partial(_with_positions, told, "20000"), truth, "oggdec")


def _one(name: str, make: Callable[[Path], object], truth: Truth, other: str | None) -> Specimen:
    return Specimen(name=f"ogg/{name}", make=make, holds=truth, other=other)


def _by_libvorbis(path: Path) -> None:
    soundfile.write(path, _SIGNAL.samples(), 44100, format="OGG", subtype="VORBIS")


def _of_a_broadcast(path: Path, *options: str) -> None:
    """Positions that go on from what was sent before, as of a listener who comes later."""
    encode(path, _OPUS if path.suffix == ".opus" else _SIGNAL, "-page_duration", "20000", *options)
    path.write_bytes(_placed_anew(path.read_bytes(), lambda position, _: position + 1_000_000))


def _with_positions(told: Callable[[int, bool], int], duration: str, path: Path) -> None:
    encode(path, _SIGNAL, "-q:a", "5", "-page_duration", duration)
    path.write_bytes(_placed_anew(path.read_bytes(), told))


def _with_last_position(position: int, path: Path) -> None:
    """A last page that says this, or that much more than is so where that is negative or large."""
    encode(path, _SIGNAL, "-page_duration", "20000")
    told: Callable[[int, bool], int] = lambda was, is_last: (  # noqa: E731
        was if not is_last else position if position == 1 else was + position
    )
    path.write_bytes(_placed_anew(path.read_bytes(), told))


def _placed_anew(content: bytes, position_of: Callable[[int, bool], int]) -> bytes:
    """With other positions on pages that have one: of what it was, and whether the page is the last."""
    data, place = bytearray(content), 0
    while place < len(data):
        segments = data[place + 26]
        end = place + 27 + segments + sum(data[place + 27 : place + 27 + segments])
        position = struct.unpack("<q", data[place + 6 : place + 14])[0]
        if position > 0:
            data[place + 6 : place + 14] = struct.pack("<q", position_of(position, end == len(data)))
            data[place + 22 : place + 26] = bytes(4)
            data[place + 22 : place + 26] = struct.pack("<I", page_crc(data[place:end]))
        place = end
    return bytes(data)


def _with_junk(front: bytes, back: bytes, path: Path) -> None:
    encode(path, _SIGNAL)
    path.write_bytes(front + path.read_bytes() + back)


def _with_video(path: Path) -> None:
    video = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=0.5", "-map", "0:a", "-map", "1:v")
    encode(path, _SIGNAL, *video[4:], "-c:v", "libtheora", "-c:a", "libvorbis", inputs=video[:4])


def _opus() -> Iterator[Specimen]:
    truth = Truth(signal=_OPUS, precision=LOSSY)
    for duration in ("2.5", "5", "10", "20", "40", "60", "120"):
        yield _one(
            f"frames-of-{duration}.opus", encoding(_OPUS, "-b:a", "160k", "-frame_duration", duration), truth, "opusdec"
        )
    mono = Signal(channels=1, rate_hz=48000, frames=24000)
    yield _one("mono.opus", encoding(mono, "-b:a", "96k"), Truth(signal=mono, precision=LOSSY), "opusdec")
    yield _one(
        "speech.opus",
        encoding(mono, "-b:a", "32k", "-application", "voip"),
        Truth(signal=mono, precision=Precision(noise_db=-6.0, gain_db=3.0, start_frames=4)),
        "opusdec",
    )
    options = ("-b:a", "160k", "-application", "lowdelay")
    yield _one("low-delay.opus", encoding(_OPUS, *options), truth, "opusdec")
    yield _one("of-a-broadcast.opus", lambda path: _of_a_broadcast(path, "-b:a", "160k"), truth, "opusdec")
    half = Truth(signal=_OPUS, precision=LOSSY, gain=0.5)
    yield _one("gain-minus-6-db.opus", partial(_with_opus_gain, -1541), half, "opusdec")
    yield from _opus_with_other_positions()
    yield _one("mislabelled.ogg", encoding(_OPUS, "-c:a", "libopus", "-b:a", "160k"), truth, "opusdec")


def _opus_with_other_positions() -> Iterator[Specimen]:
    """Below the pre-skip, of 312 samples, nothing can end; a first page that is not the last tells of all it holds."""
    padded = Truth(signal=_OPUS, precision=replace(LOSSY, length_frames=960))  # nothing tells the end to the sample
    lies: dict[str, Callable[[int, bool], int]] = {
        "last-0": lambda position, is_last: 0 if is_last else position,
        "last-311": lambda position, is_last: 311 if is_last else position,
        "halved": lambda position, _: position // 2,
        "all-1": lambda *_: 1,
    }
    for name, told in lies.items():
        for duration in ("20000", "60000000"):
            if name == "halved" and duration == "60000000":
                continue  # a page that is first and last may end anywhere
            make = partial(_opus_with_positions, told, duration)
            yield _one(f"positions-{name}-{duration}.opus", make, padded, "opusdec")
    half = Truth(signal=Signal(rate_hz=48000, frames=11688), precision=LOSSY)
    cut = partial(_opus_with_positions, lambda *_: 12000, "60000000")
    yield _one("positions-last-12000.opus", cut, half, "opusdec")
    never = partial(_opus_with_positions, lambda *_: -1, "60000000")
    yield Specimen(name="ogg/positions-none.opus", make=never, holds=Code.AUDIO_UNDECODABLE, other="opusdec")


def _opus_with_positions(told: Callable[[int, bool], int], duration: str, path: Path) -> None:
    encode(path, _OPUS, "-b:a", "160k", "-page_duration", duration)
    path.write_bytes(_placed_anew(path.read_bytes(), told))


def _with_opus_gain(gain: int, path: Path) -> None:
    """RFC 7845, 5.1: the header's output gain, in 256ths of a decibel, belongs to the sound."""
    encode(path, _OPUS, "-b:a", "160k")
    data = bytearray(path.read_bytes())
    head = data.index(b"OpusHead")
    data[head + 16 : head + 18] = struct.pack("<h", gain)
    data[22:26] = bytes(4)
    end = 27 + data[26] + sum(data[27 : 27 + data[26]])
    data[22:26] = struct.pack("<I", page_crc(data[:end]))
    path.write_bytes(data)


def page_crc(page: bytes | bytearray) -> int:
    """Ogg's checksum of a page whose own field for it is 0."""
    crc = 0
    for octet in page:
        crc ^= octet << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def _chained() -> Iterator[Specimen]:
    whole = Signal(frames=44100)
    both = Truth(signal=whole, precision=_JOINED)
    yield _one("chained-vorbis.ogg", partial(_links, whole, [(2, 44100), (2, 44100)], ()), both, "oggdec")
    yield _one("chained-vorbis-rates.ogg", partial(_links, whole, [(2, 48000), (2, 44100)], ()), both, None)
    mixed = Truth(signal=whole, precision=_MIXED, mix=((1.0, 1.0), (1.0, 1.0)), is_mix_exact=False)
    yield _one("chained-vorbis-channels.ogg", partial(_links, whole, [(1, 44100), (2, 44100)], ()), mixed, None)
    opus = Signal(rate_hz=48000, frames=48000)
    both = Truth(signal=opus, precision=_JOINED)
    options = ("-b:a", "160k")
    yield _one("chained-opus.opus", partial(_links, opus, [(2, 48000), (2, 48000)], options), both, "opusdec")
    three = Truth(signal=Signal(rate_hz=48000, frames=72000), precision=_JOINED)
    yield _one("chained-three.opus", partial(_links, three.signal, [(2, 48000)] * 3, options), three, "opusdec")
    mixed = Truth(signal=opus, precision=_MIXED, mix=((1.0, 1.0), (1.0, 1.0)), is_mix_exact=False)
    yield _one("chained-opus-channels.opus", partial(_links, opus, [(2, 48000), (1, 48000)], options), mixed, "opusdec")
    flac = Truth(signal=whole)
    yield _one("chained-flac.oga", partial(_links, whole, [(2, 44100), (2, 44100)], ("-c:a", "flac")), flac, None)


def _links(signal: Signal, links: Sequence[tuple[int, int]], options: Sequence[str], path: Path) -> None:
    """Half a second of the signal in each link, which has channels and a rate of its own."""
    data = b""
    for number, (channels, rate_hz) in enumerate(links):
        whole = Signal(rate_hz=rate_hz, frames=rate_hz // 2 * len(links)).samples()
        part = whole[number * rate_hz // 2 : (number + 1) * rate_hz // 2]
        part = part.mean(axis=1, keepdims=True) if channels == 1 else part
        data += encode_samples(path, part, rate_hz, *options, "-serial_offset", str(100 * number)).read_bytes()
    path.write_bytes(data)
