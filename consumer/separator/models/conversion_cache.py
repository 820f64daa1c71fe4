"""Where a checkpoint's conversion is kept, and how it is recognised and made; imports no numpy.

A runtime that can't read TensorFlow's checkpoints loads their conversion, a file beside them. TensorFlow reads whatever
a stranger's checkpoint holds, so that is done by a process of its own: confined to the model's folder, to read, with
nothing of our environment, and bounded in time and space.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import uuid
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from consumer.core.checkpoints import checkpoint_files, unavailable
from consumer.core.errors import Rejected
from consumer.core.runtimes import RUNTIMES, SeparatorRuntime
from consumer.separator.confinement import confine_thread
from consumer.separator.sandbox import Reach, reach_of_models, reach_of_python

CONVERSION_S = 600.0  # 5 stems take 4 s, TensorFlow's start included
_FORMAT_VERSION = 1
_CHUNK = 1 << 20
# Where Python and its libraries are found; nothing else of ours is that process's business.
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE")


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
    """Convert the checkpoint with this digest unless that is done, and keep the conversion beside it.

    Where that fails nothing is raised: whoever loads the model converts it once more, and reports what is wrong.
    """
    with contextlib.suppress(OSError, Rejected):
        kept = conversion_path(name, folder)
        with contextlib.suppress(OSError), kept.open("rb") as conversion:
            prefix = conversion_prefix(sha256)
            if conversion.read(len(prefix)) == prefix:
                return
        fresh = kept.with_name(f".{kept.name}-{uuid.uuid4().hex}")
        try:
            with fresh.open("xb") as out:
                convert_into(out, name, folder)
            if _is_conversion(fresh, sha256):
                fresh.replace(kept)
        finally:
            fresh.unlink(missing_ok=True)


def convert_into(out: BinaryIO, name: str, folder: Path) -> None:
    """Have the conversion of this model's checkpoint written to an open file, by a confined process.

    What it has written is a stranger's too until it is checked. Raises Rejected(MODEL_UNAVAILABLE), OSError.
    """
    command = [sys.executable, "-m", "consumer.separator.models.convert", name, str(folder)]
    with tempfile.TemporaryDirectory(prefix="conversion-") as scratch:
        searched = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        ours = Path("/proc/self").resolve()  # this process's, with all that is in its environment
        python = (place for place in reach_of_python() if place != ours)
        reads = (*python, *map(Path, searched), *reach_of_models(folder))
        reach = Reach(reads=reads, writes=(Path(scratch),))
        # TensorFlow looks for a temporary folder, and for Keras' settings in the home, though it needs neither.
        own = {"TMPDIR": scratch, "HOME": scratch, "KERAS_HOME": f"{os.devnull}/keras", "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment = own | {variable: os.environ[variable] for variable in _PASSED_ON if variable in os.environ}

        def run() -> None:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                env=environment,
                timeout=CONVERSION_S,
                check=True,
            )

        try:
            with ThreadPoolExecutor(1, initializer=confine_thread, initargs=(reach,)) as thread:
                thread.submit(run).result()
        except subprocess.CalledProcessError as error:
            raise unavailable(name, _last_line(error)) from error
        except subprocess.TimeoutExpired as error:
            raise unavailable(name, f"its checkpoint was not read within {CONVERSION_S:.0f} s") from error


def _last_line(error: subprocess.CalledProcessError) -> str:
    lines = error.stderr.decode("utf-8", "replace").strip().splitlines()
    if error.returncode > 0 and lines:
        return str(lines[-1][:500])
    how = f"by signal {-error.returncode}" if error.returncode < 0 else f"with exit code {error.returncode}"
    return f"damaged or unreadable checkpoint (what reads it ended {how})"


def _is_conversion(path: Path, sha256: str) -> bool:
    """Whether a file is a conversion of the checkpoint with this digest, and whole: by its first line."""
    prefix = conversion_prefix(sha256)
    with path.open("rb") as conversion:
        first = conversion.readline(len(prefix) + 16)
        crc32 = 0
        while chunk := conversion.read(_CHUNK):
            crc32 = zlib.crc32(chunk, crc32)
    return first == prefix + f"{crc32:08x}\n".encode()
