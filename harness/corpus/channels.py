"""One to 64 channels: without names, with the names of a WAVE mask, and in the orders that codecs prescribe."""

import math
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

from harness.corpus.apple import aiff, caf, caf_chunk
from harness.corpus.encoding import encode
from harness.corpus.pcm import integers
from harness.corpus.riff import Layout, extensible, fmt, riff
from harness.corpus.signal import Signal
from harness.corpus.specimen import LOSSY, Precision, Specimen, Truth, exact, in_turn
from harness.corpus.sun import au

_FRAMES = 11025
# The names of a WAVE mask's bits, from the lowest.
_BITS = (
    "FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR",
)  # fmt: skip
_PAIRS = ("FL+FR", "BL+BR", "SL+SR", "FLC+FRC", "TFL+TFR", "TBL+TBR", "FL+FC", "FC+LFE", "FR+FC", "FC+BC", "LFE+BC")
_ONES = ("FL", "FC", "FR", "LFE", "BC", "TC")
_MORE = {
    "2.1": "FL FR LFE", "3.0": "FL FR FC", "quad": "FL FR BL BR", "quad-side": "FL FR SL SR", "5.0": "FL FR FC BL BR",
    "5.1": "FL FR FC LFE BL BR", "5.1-side": "FL FR FC LFE SL SR", "6.1": "FL FR FC LFE BC SL SR",
    "7.1": "FL FR FC LFE BL BR SL SR", "7.1-wide": "FL FR FC LFE BL BR FLC FRC",
    "7.1.4": "FL FR FC LFE BL BR SL SR TFL TFR TBL TBR", "all-18": " ".join(_BITS),
    "no-front": "BL BR SL SR", "left-only": "FL BL SL", "centres": "FC BC TC", "one-sided": "FL FR FC BL",
}  # fmt: skip
# By number of channels: the order that FLAC (RFC 9639), Vorbis and Opus (RFC 7845) prescribe, and ffmpeg's name for it.
_FLAC = {3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_NAMES = {"3.0": "3.0", "quad": "quad", "5.0": "5.0", "5.1": "5.1", "6.1": "6.1", "7.1": "7.1"}
_SURROUND = Precision(noise_db=-9.0, gain_db=3.0, length_frames=0)


def sides(names: Sequence[str]) -> tuple[tuple[float, float], ...]:
    """On which sides channels of these names have to be heard; low-frequency effects may be left out."""
    both, left, right, either = (1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (math.nan, math.nan)
    return tuple(either if name == "LFE" else left if "L" in name else right if "R" in name else both for name in names)


def effects(names: Sequence[str]) -> int | None:
    return names.index("LFE") if "LFE" in names else None


def specimens() -> Iterator[Specimen]:
    yield from _unnamed()
    yield from _masks()
    yield from _codecs()
    yield from _core_audio()


def _signal(channels: int) -> Signal:
    return Signal(channels=channels, frames=_FRAMES)


def _truth(channels: int) -> Truth:
    """Of channels without names."""
    mix = in_turn(channels) if channels > 2 else None
    return Truth(signal=_signal(channels), precision=exact(16 if channels <= 2 else 14), mix=mix)


def _unnamed() -> Iterator[Specimen]:
    for channels in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, 24, 32, 48, 63, 64):
        yield _specimen(f"unnamed-{channels}.wav", partial(_wav, fmt(1, channels, 44100, 16), channels), channels)
    for channels in (1, 2, 3, 6, 8, 13, 24, 64):
        body = extensible(1, channels, 44100, 16)
        yield _specimen(f"mask-0-{channels}.wav", partial(_wav, body, channels), channels)
    for channels in (1, 3, 6, 12, 24, 64):
        for extension in ("aiff", "caf", "au"):
            yield _specimen(f"unnamed-{channels}.{extension}", partial(_plain, extension, channels), channels)
    for channels, mask in ((6, 3), (3, 0b11), (4, 0b100), (12, 0x3F)):  # fewer names than channels
        body = extensible(1, channels, 44100, 16, mask=mask)
        yield _specimen(f"mask-{mask:x}-of-{channels}.wav", partial(_wav, body, channels), channels)
    for channels, mask in ((2, 0x3F), (1, 3), (2, 0xFFFFFFFF)):  # more names than channels
        body = extensible(1, channels, 44100, 16, mask=mask)
        yield _specimen(f"mask-{mask:x}-of-{channels}.wav", partial(_wav, body, channels), channels)


def _specimen(name: str, make: Callable[[Path], object], channels: int) -> Specimen:
    return Specimen(name=f"channels/{name}", make=make, holds=_truth(channels), other="libsndfile")


def _wav(body: bytes, channels: int, path: Path) -> None:
    path.write_bytes(riff(Layout(fmt=body), integers(_signal(channels).samples(), 16)))


def _plain(extension: str, channels: int, path: Path) -> None:
    data = integers(_signal(channels).samples(), 16, end=">")
    if extension == "aiff":
        path.write_bytes(aiff(data, bits=16, channels=channels))
    elif extension == "caf":
        path.write_bytes(caf(data, channels=channels))
    else:
        path.write_bytes(au(data, channels=channels))


def _masks() -> Iterator[Specimen]:
    """Pairs and single channels stay as they are; of more each is heard on its side."""
    for names in (*_ONES, *_PAIRS):
        members = names.split("+")
        yield _specimen(f"named-{names}.wav", partial(_named, members), len(members))
    for name, listed in _MORE.items():
        members = listed.split()
        yield Specimen(
            name=f"channels/named-{name}.wav",
            make=partial(_named, members),
            holds=Truth(signal=_signal(len(members)), mix=sides(members), is_mix_exact=False),
            other="libsndfile",
        )


def _named(members: Sequence[str], path: Path) -> None:
    _wav(extensible(1, len(members), 44100, 16, mask=mask_of(members)), len(members), path)


def mask_of(names: Sequence[str]) -> int:
    return sum(1 << _BITS.index(name) for name in names)


def _codecs() -> Iterator[Specimen]:
    for channels, layout in _FLAC.items():
        names = _MORE[_NAMES[layout]].split()
        flac = Truth(signal=_signal(channels), mix=sides(names), is_mix_exact=False)
        yield Specimen(
            name=f"channels/flac-{channels}.flac",
            make=partial(encode, signal=_signal(channels), layout=layout),
            holds=flac,
            other="libsndfile",
        )
    for channels, layout in _FLAC.items():
        names = _MORE[_NAMES[layout]].split()
        for extension, rate_hz, other in (("ogg", 44100, "libsndfile"), ("opus", 48000, "opusdec")):
            signal = Signal(channels=channels, rate_hz=rate_hz, frames=rate_hz // 4)
            yield Specimen(
                name=f"channels/{extension}-{channels}.{extension}",
                make=partial(_by_opusenc, signal, names)
                if extension == "opus"
                else partial(_encoded, signal, layout, ()),
                holds=Truth(
                    signal=signal, mix=sides(names), is_mix_exact=False, precision=_SURROUND, effects=effects(names)
                ),
                other=other,
            )
    for channels in (1, 2, 3, 10):  # Opus without names
        signal = Signal(channels=channels, rate_hz=48000, frames=12000)
        mix = in_turn(channels) if channels > 2 else None
        yield Specimen(
            name=f"channels/opus-discrete-{channels}.opus",
            make=partial(_encoded, signal, None, ("-mapping_family", "255", "-b:a", f"{96 * channels}k")),
            holds=Truth(signal=signal, mix=mix, precision=LOSSY),
            other="pyav" if channels <= 8 else None,
        )
    for extension, layout, options in (
        ("m4a", "5.1", ("-b:a", "512k")), ("m4a", "5.0", ("-b:a", "512k")), ("mkv", "5.1", ("-c:a", "ac3")),
        ("mkv", "7.1", ("-c:a", "flac")), ("mov", "5.1", ("-c:a", "pcm_s16le")), ("wv", "5.1", ()),
        ("mp4", "5.1", ("-c:a", "eac3")),
    ):  # fmt: skip
        names = _MORE[layout].split()
        signal = Signal(channels=len(names), rate_hz=48000, frames=24000)
        precision = Precision(noise_db=-9.0, gain_db=3.0, length_frames=1536, start_frames=0)
        yield Specimen(
            name=f"channels/{options[-1].replace('512k', 'default') if options else 'default'}-{layout}.{extension}",
            make=partial(_encoded, signal, layout, options),
            holds=Truth(
                signal=signal, mix=sides(names), is_mix_exact=False, precision=precision, effects=effects(names)
            ),
            other="pyav",
        )
    for channels in (3, 12, 16):  # Matroska has no names for PCM
        yield Specimen(
            name=f"channels/pcm-{channels}.mkv",
            make=partial(_encoded, _signal(channels), f"{channels}C", ("-c:a", "pcm_s16le")),
            holds=_truth(channels),
            other="pyav",
        )


def _by_opusenc(signal: Signal, names: Sequence[str], path: Path) -> None:
    """ffmpeg's encoder gives five and seven channels each other's places."""
    body = extensible(1, signal.channels, signal.rate_hz, 16, mask=mask_of(names))
    with NamedTemporaryFile(suffix=".wav") as source:
        source.write(riff(Layout(fmt=body), integers(signal.samples(), 16)))
        source.flush()
        done = subprocess.run(
            ["opusenc", "--quiet", "--bitrate", "500", source.name, str(path)],
            capture_output=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")


def _encoded(signal: Signal, layout: str | None, options: Sequence[str], path: Path) -> None:
    encode(path, signal, *options, layout=layout)


def _core_audio() -> Iterator[Specimen]:
    """CAF's channel layouts: by tag, by bitmap, by descriptions."""
    unknown = struct.pack(">IIfff", 0xFFFFFFFF, 0, 0, 0, 0)
    layouts: dict[str, tuple[int, bytes, str | None]] = {
        "tag-mono": (1, struct.pack(">III", 100 << 16 | 1, 0, 0), None),
        "tag-5.1": (6, struct.pack(">III", 121 << 16 | 6, 0, 0), "FL FR FC LFE BL BR"),
        "bitmap-quad": (4, struct.pack(">III", 1 << 16, 0x33, 0), "FL FR BL BR"),
        "discrete-3": (3, struct.pack(">III", 147 << 16 | 3, 0, 0), None),
        "descriptions-2-unknown": (2, struct.pack(">III", 0, 0, 2) + unknown * 2, None),
        "tag-lies": (3, struct.pack(">III", 101 << 16 | 2, 0, 0), None),
    }  # fmt: skip
    for name, (channels, body, names) in layouts.items():
        truth = _truth(channels)
        if names:
            truth = Truth(signal=_signal(channels), mix=sides(names.split()), is_mix_exact=False)
        yield Specimen(
            name=f"channels/caf-{name}.caf",
            make=partial(_caf, channels, caf_chunk(b"chan", body)),
            holds=truth,
            other="libsndfile",
        )


def _caf(channels: int, before: bytes, path: Path) -> None:
    data = integers(_signal(channels).samples(), 16, end=">")
    path.write_bytes(caf(data, channels=channels, before=before))
