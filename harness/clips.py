"""Audio files of many kinds for whole jobs."""

from pathlib import Path

import numpy as np

from harness.audio import RATE_HZ, music
from harness.files import encode_file

_PASSAGE_S = 20.0


def write_clip(path: Path, *, seconds: float, seed: int, options: tuple[str, ...] = ()) -> Path:
    """Music of this seed in the format that the name's extension says; options are ffmpeg's, for the output.

    What is longer than a passage repeats it, since ten minutes of music would take longer to make than to separate.
    """
    passage = music(seconds=min(seconds, _PASSAGE_S), seed=seed)
    whole = np.resize(passage, (round(seconds * RATE_HZ), 2)) if seconds > _PASSAGE_S else passage
    return encode_file(path, whole, args=options)
