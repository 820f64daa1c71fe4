"""What the contenders work on: one song as mp3, and full-size checkpoints with random weights."""

import subprocess
from pathlib import Path

from consumer.separator.audio.ffmpeg import bundled_binary
from harness.audio import RATE_HZ, music
from harness.checkpoints import write_checkpoint


def write_song(path: Path, seconds: float, seed: int = 1) -> Path:
    """An mp3 of that length."""
    subprocess.run(
        [bundled_binary(), "-v", "error", "-y", "-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2", "-i", "pipe:0",
         "-b:a", "192k", str(path)],
        input=music(seconds=seconds, seed=seed).tobytes(), check=True, timeout=3600,
    )  # fmt: skip
    return path


def write_models(folder: Path) -> Path:
    """2stems, 4stems and 5stems; they cost what trained ones cost."""
    for stems in (2, 4, 5):
        if not (folder / f"{stems}stems").exists():
            write_checkpoint(folder, stems, seed=stems)
    return folder


def tools(folder: Path) -> Path:
    """A folder for PATH in which `ffmpeg` is the one that this engine uses too: the reference must not lose by it."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "ffmpeg"
    if not link.exists():
        link.symlink_to(bundled_binary())
    return folder
