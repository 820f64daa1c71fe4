"""Files that ffmpeg encodes of the corpus's signals."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from harness.corpus.signal import Samples, Signal
from harness.files import ffmpeg


def encode(
    path: Path, signal: Signal, *options: str, layout: str | None = None, inputs: Sequence[str] = ()
) -> Path:  # fmt: skip
    """Writes the signal as the extension and `options` (for the output) say. layout: its channels' names, for ffmpeg.
    inputs: options of further inputs.
    """
    return encode_samples(path, signal.samples(), signal.rate_hz, *options, layout=layout, inputs=inputs)


def encoding(
    signal: Signal, *options: str, layout: str | None = None, inputs: Sequence[str] = ()
) -> Callable[[Path], object]:
    """The same, for later."""
    return lambda path: encode(path, signal, *options, layout=layout, inputs=inputs)


def encode_samples(
    path: Path, samples: Samples, rate_hz: int, *options: str, layout: str | None = None, inputs: Sequence[str] = ()
) -> Path:  # fmt: skip
    """The same of any samples, float (frames, channels)."""
    channels = ("-ch_layout", layout) if layout else ("-ac", str(samples.shape[1]))
    source = ("-f", "f32le", "-ar", str(rate_hz), *channels, "-i", "pipe:0")
    ffmpeg(*source, *inputs, *options, f"file:{path}", feed=np.ascontiguousarray(samples, "<f4").tobytes())
    return path
