"""WAVE files of ADPCM whose headers lie about the blocks that it comes in."""

import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import soundfile

from consumer.core.errors import Code
from harness.corpus.riff import Layout, riff, w64
from harness.corpus.signal import Signal
from harness.corpus.specimen import Precision, Specimen, Truth

_FMT_AT, _DATA_HEAD_BYTES = 20, 8
# By libsndfile's name of the codec: bytes of a block's head a channel, and samples of a channel within it.
_HEADS = {"IMA_ADPCM": (4, 1), "MS_ADPCM": (7, 2)}
_BLOCK_BYTES, _BLOCK_AT, _BITS_AT, _SAMPLES_AT, _COEFFICIENTS_AT = 2048, 12, 14, 18, 22


def specimens() -> Iterator[Specimen]:
    for codec, (head_bytes, head_samples) in _HEADS.items():
        for channels in (1, 2):
            precision = Precision(noise_db=-15.0, gain_db=0.1, length_frames=4096)  # to the last block's end
            truth = Truth(signal=Signal(channels=channels), precision=precision)
            one = partial(_one, codec, channels)
            samples = (_BLOCK_BYTES - head_bytes * channels) * 2 // channels + head_samples
            yield one("as-they-are", truth)
            for lie in (0, 1, samples - 1, 2 * samples, 505):
                yield one(f"samples-{lie}", truth, at=_SAMPLES_AT, value=lie)
            for lie in (0, 1, 4 * channels, _BLOCK_BYTES // 2, _BLOCK_BYTES - 4, _BLOCK_BYTES - 1, _BLOCK_BYTES + 4):
                yield one(f"size-{lie}", Code.AUDIO_UNDECODABLE, at=_BLOCK_AT, value=lie)
            for lie in (2 * _BLOCK_BYTES, 0xFFFF):
                yield one(f"size-{lie}", Code.AUDIO_UNDECODABLE, at=_BLOCK_AT, value=lie)
            for bits in (2, 3, 5) if codec == "IMA_ADPCM" else ():  # which ffmpeg believes
                yield one(f"bits-{bits}", Code.AUDIO_UNDECODABLE, at=_BITS_AT, value=bits)
            for fmt_bytes in (16, 18):
                yield one(f"fmt-of-{fmt_bytes}", truth, fmt_bytes=fmt_bytes)
            yield one("wave64", truth, suffix="w64")
            yield one("wave64-size-4096", Code.AUDIO_UNDECODABLE, at=_BLOCK_AT, value=4096, suffix="w64")
    yield _one("MS_ADPCM", 2, "other-coefficient", Code.AUDIO_UNDECODABLE, at=_COEFFICIENTS_AT, value=100)


def _one(
    codec: str, channels: int, name: str, holds: Truth | Code, *, at: int | None = None, value: int = 0,
    fmt_bytes: int | None = None, suffix: str = "wav",
) -> Specimen:  # fmt: skip
    def make(path: Path) -> None:
        fmt, data = _encoded(codec, channels, path)
        if at is not None:
            struct.pack_into("<H", fmt, at, value)
        form = bytes(fmt[:fmt_bytes])
        path.write_bytes(w64(form, data) if suffix == "w64" else riff(Layout(fmt=form), data))

    short = codec.partition("_")[0].lower()
    return Specimen(name=f"wave/blocks-{short}-{channels}-{name}.{suffix}", make=make, holds=holds, other="libsndfile")


def _encoded(codec: str, channels: int, path: Path) -> tuple[bytearray, bytes]:
    """What libsndfile writes: the body of its `fmt ` chunk, and the blocks."""
    soundfile.write(path, Signal(channels=channels).samples(), 44100, format="WAV", subtype=codec)
    content = path.read_bytes()
    fmt_bytes = struct.unpack("<I", content[16:20])[0]
    data_at = content.index(b"data", _FMT_AT + fmt_bytes) + _DATA_HEAD_BYTES
    return bytearray(content[_FMT_AT : _FMT_AT + fmt_bytes]), content[data_at:]
