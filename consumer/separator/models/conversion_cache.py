"""Where a checkpoint's conversion is kept, and how it is recognised; `convert` makes it. Imports no numpy.

A runtime that can't read TensorFlow's checkpoints loads their conversion, a file beside them.
"""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from consumer.core.checkpoints import checkpoint_files
from consumer.core.runtimes import RUNTIMES, SeparatorRuntime

_FORMAT_VERSION = 1


def conversion_path(name: str, folder: Path) -> Path:
    """The file that holds the conversion of this model's checkpoint, whether it is there or not.

    Raises Rejected(MODEL_UNAVAILABLE) where there is no checkpoint.
    """
    return Path(f"{checkpoint_files(name, folder)[0]}.tensors")


def conversion_prefix(sha256: str) -> bytes:
    """The bytes that every conversion of the checkpoint with this digest begins with, and no other."""
    return f"tensors {_FORMAT_VERSION} {sha256} ".encode()


def conversion_needed_by(runtime: str) -> Callable[[str, Path, str], None] | None:
    """What to call with a model's name, folder and digest before this runtime first loads it; None for nothing."""
    return None if RUNTIMES[SeparatorRuntime(runtime)].reads_checkpoints else ensure_converted


def ensure_converted(name: str, folder: Path, sha256: str) -> None:
    """Convert the checkpoint with this digest unless that is done, in a process of its own that may write beside it.

    Where that fails nothing is raised: whoever loads the model converts it once more, and reports what is wrong.
    """
    prefix = conversion_prefix(sha256)
    with contextlib.suppress(OSError), conversion_path(name, folder).open("rb") as conversion:
        if conversion.read(len(prefix)) == prefix:
            return
    command = [sys.executable, "-m", "consumer.separator.models.convert", "--keep", name, str(folder)]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
