"""Where a checkpoint's conversion is kept, and by what it is known; `convert` says what it is. Light."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from consumer.separator.models.spec import checkpoint_files

_VERSION = 1


def cache_path(name: str, folder: Path) -> Path:
    """Raises Rejected(MODEL_UNAVAILABLE) where there is no checkpoint."""
    return Path(f"{checkpoint_files(name, folder)[0]}.tensors")


def mark(sha256: str) -> bytes:
    """What a conversion of the checkpoint with this digest begins with."""
    return f"tensors {_VERSION} {sha256} ".encode()


def preparation(runtime: str) -> Callable[[str, Path, str], None] | None:
    """What a model (name, folder, digest) needs before this runtime's first load: TensorFlow reads checkpoints as they
    are, the others their conversion.
    """
    return None if runtime == "tensorflow" else fill_cache


def fill_cache(name: str, folder: Path, sha256: str) -> None:
    """Have the checkpoint with this digest converted where it is not yet, by a process of its own that may write there.

    Where that fails, whoever loads the model converts it once more, and says what is wrong.
    """
    with contextlib.suppress(OSError), cache_path(name, folder).open("rb") as kept:
        if kept.read(len(mark(sha256))) == mark(sha256):
            return
    command = [sys.executable, "-m", "consumer.separator.models.convert", "--keep", name, str(folder)]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
