"""What writes a stem's file, by its format's row in `consumer.core.catalog`."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from consumer.core.catalog import FORMATS
from consumer.separator.audio.encode import Encoder, Encoding
from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.audio.wave_writer import WaveWriter
from consumer.separator.dsp.spectral import Samples


class StemWriter(AbstractContextManager["StemWriter"], Protocol):
    """One stem file being written. Not thread-safe; `finish` it before leaving the context."""

    def write(self, samples: Samples) -> None:
        """Append float32 (samples, 2), -1..1. Raises as `finish`."""
        ...

    def finish(self) -> None:
        """Close the file. Raises as Encoder.finish."""
        ...


def stem_writer(ffmpeg: FFmpeg, path: Path, encoding: Encoding) -> StemWriter:
    """A new file; its name without the ending is the stem's."""
    row = FORMATS[encoding.format]
    return WaveWriter(path, encoding, row.codec) if row.is_plain else Encoder(ffmpeg, path, encoding)
