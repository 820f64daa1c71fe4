"""Audio files of many kinds for whole jobs."""

from pathlib import Path

from harness.audio import music
from harness.files import encode_file


def write_clip(path: Path, *, seconds: float, seed: int, options: tuple[str, ...] = ()) -> Path:
    """Music of this seed in the format that the name's extension says; options are ffmpeg's, for the output."""
    return encode_file(path, music(seconds=seconds, seed=seed), args=options)
