"""Writes a stem as a WAVE file: samples behind a header, for which no encoder is needed.

The header is the one that ffmpeg writes (RIFF, or RF64 from 4 GiB on: EBU Tech 3306), with its tags in an INFO list.
"""

import struct
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.encode import Encoding
from consumer.separator.audio.tags import texts_of
from consumer.separator.dsp.spectral import Samples

_CHANNELS, _FRONT_PAIR = 2, 0x3
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_PCM_GUID = uuid.UUID("00000001-0000-0010-8000-00aa00389b71").bytes_le
_MOST = 0xFFFFFFFF  # what a RIFF file's sizes can tell; in an RF64 file it stands for those of its ds64 chunk
_NAMES = {"artist": b"IART", "date": b"ICRD", "genre": b"IGNR", "title": b"INAM", "album": b"IPRD", "track": b"IPRT"}


def as_s16(samples: Samples) -> NDArray[np.int16]:
    """Float32 samples, -1..1, as 16-bit integers, clipped: the ones that ffmpeg, and so Spleeter, makes of them."""
    scaled = samples * np.float32(1 << 15)
    np.rint(scaled, out=scaled)
    least, most = -(1 << 15), (1 << 15) - 1
    if scaled.min(initial=0.0) < least or scaled.max(initial=0.0) > most:  # a look costs a tenth of what clipping does
        scaled.clip(least, most, out=scaled)
    return scaled.astype("<i2")


def as_s24(samples: Samples) -> NDArray[np.uint8]:
    """The same as 24-bit integers, three bytes each. ffmpeg makes 32 bits of them first, and leaves out the lowest."""
    scaled = np.rint(samples * np.float64(1 << 31)).clip(-(1 << 31), (1 << 31) - 1)
    return np.ascontiguousarray(scaled.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """sample_bytes: of one channel. packed: the bytes of float32 (samples, 2). has_fact: whether a chunk counts the
    samples.
    """

    sample_bytes: int
    tag: int
    packed: Callable[[Samples], NDArray[Any]]
    has_fact: bool = False


_KINDS = {
    "pcm_s16le": _Kind(sample_bytes=2, tag=_PCM, packed=as_s16),
    "pcm_s24le": _Kind(sample_bytes=3, tag=_EXTENSIBLE, packed=as_s24),
    "pcm_f32le": _Kind(sample_bytes=4, tag=_FLOAT, packed=np.ascontiguousarray, has_fact=True),
}


class WaveWriter:
    """One stem file being written; its name without the ending is the stem's.

    Not thread-safe. Use it as a context manager, and `finish` before leaving it. Opening it, too, raises
    Rejected(SEPARATION_FAILED) where this machine can't write it.
    """

    def __init__(self, path: Path, encoding: Encoding, codec: str) -> None:
        """codec: ffmpeg's name of the samples' kind."""
        self._kind, self._rate_hz, self._samples = _KINDS[codec], encoding.rate_hz, 0
        self._info = _info(texts_of(encoding.tags, path.stem))
        try:
            self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - it is closed by finish and by __exit__
        except OSError as error:
            raise _unwritable(error) from error
        try:
            self._write(self._header())
        except BaseException:
            self._file.close()
            raise

    def write(self, samples: Samples) -> None:
        """Append float32 (samples, 2), -1..1; integers clip. Raises Rejected(SEPARATION_FAILED)."""
        self._samples += len(samples)
        self._write(self._kind.packed(samples).data.cast("B"))

    def finish(self) -> None:
        """Close the file, with its sizes in it. Raises Rejected(SEPARATION_FAILED)."""
        try:
            self._file.seek(0)
            self._write(self._header())
            self._file.close()
        except OSError as error:
            raise _unwritable(error) from error

    def _write(self, data: bytes | memoryview) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise _unwritable(error) from error

    def _header(self) -> bytes:
        """As long as any other of this file."""
        frame_bytes = _CHANNELS * self._kind.sample_bytes
        data_bytes = self._samples * frame_bytes
        format_chunk = _chunk(b"fmt ", self._format(frame_bytes))
        fact_bytes = 12 if self._kind.has_fact else 0
        riff_bytes = 4 + len(format_chunk) + 36 + fact_bytes + len(self._info) + 8 + data_bytes
        is_long = riff_bytes > _MOST
        sizes = struct.pack("<QQQI", riff_bytes, data_bytes, self._samples, 0) if is_long else bytes(28)
        fact = _chunk(b"fact", struct.pack("<I", min(self._samples, _MOST))) if self._kind.has_fact else b""
        return b"".join((
            struct.pack("<4sI4s", b"RF64" if is_long else b"RIFF", min(riff_bytes, _MOST), b"WAVE"),
            # A ds64 chunk has to come first; what it takes the place of need not.
            _chunk(b"ds64" if is_long else b"JUNK", sizes),
            format_chunk,
            fact,
            self._info,
            struct.pack("<4sI", b"data", _MOST if is_long else data_bytes),
        ))  # fmt: skip

    def _format(self, frame_bytes: int) -> bytes:
        bits, per_second = 8 * self._kind.sample_bytes, self._rate_hz * frame_bytes
        plain = struct.pack("<HHIIHH", self._kind.tag, _CHANNELS, self._rate_hz, per_second, frame_bytes, bits)
        if self._kind.tag == _EXTENSIBLE:
            return plain + struct.pack("<HHI", 22, bits, _FRONT_PAIR) + _PCM_GUID
        return plain if self._kind.tag == _PCM else plain + struct.pack("<H", 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _info(texts: Mapping[str, str]) -> bytes:
    """Each text ends with a zero; what comes behind another zero in it nobody would read."""
    entries = [
        _chunk(_NAMES[name], texts[name].partition("\0")[0].encode() + b"\0") for name in _NAMES if name in texts
    ]
    return _chunk(b"LIST", b"INFO" + b"".join(entries)) if entries else b""


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + bytes(len(content) % 2)


def _unwritable(error: OSError) -> Rejected:
    return Rejected(Code.SEPARATION_FAILED, f"a stem can't be written: {error.strerror}")
