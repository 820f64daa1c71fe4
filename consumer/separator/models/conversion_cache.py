"""Where a checkpoint's conversion is kept, and how it is recognised and made; imports no numpy.

A runtime that wants its kernels in another order than a checkpoint has them maps them from a file beside it, which was
made once: a safetensors file, whose header begins with the digest of its checkpoint, the layout of its kernels and a
checksum of all that follows. It is made by a process of its own, since it reads a stranger's checkpoint: confined to
the model's folder, to read, with nothing of our environment, and bounded in time and space.
"""

import contextlib
import hashlib
import os
import platform
import struct
import sys
import uuid
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from consumer.core.checkpoints import CONVERSION_ENDING, checkpoint_files, unavailable
from consumer.core.errors import Fatal, Rejected
from consumer.core.extras import not_installed
from consumer.core.runtimes import RUNTIMES, SeparatorRuntime
from consumer.separator.reaper import Ended, run_to_its_end

CONVERSION_S = 120.0  # 5 stems take 3 s
_FORMAT_VERSION = 1
_CHUNK = 1 << 20
_KERNELS = "spleeter_kernels"
# What makes the kernels' order: where one of them is another, so may be the order.
_ORDERED_BY = ("packing.py", "winograd.py", "unet.py")
# Where Python and its libraries are found; nothing else of ours is that process's business.
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE")


def conversion_path(name: str, folder: Path) -> Path:
    """The file that holds the conversion of this model's checkpoint, whether it is there or not.

    Raises Rejected(MODEL_UNAVAILABLE) where there is no checkpoint.
    """
    return Path(f"{checkpoint_files(name, folder)[0]}{CONVERSION_ENDING}")


def conversion_prefix(sha256: str) -> bytes:
    """What the header of every conversion of the checkpoint with this digest begins with, and of no other.

    Raises Fatal where the kernels are not installed.
    """
    return (
        f'{{"__metadata__":{{"format":"spleeter-consumer {_FORMAT_VERSION}","checkpoint":"{sha256}",'
        f'"layout":"{_layout()}","crc32c":"'
    ).encode()


@cache
def _layout() -> str:
    """The order that the installed kernels want their arrays in."""
    found = find_spec(_KERNELS)
    if found is None or not found.submodule_search_locations:
        raise not_installed(_KERNELS)
    folder = Path(found.submodule_search_locations[0])
    digest = hashlib.sha256(b"".join((folder / name).read_bytes() for name in _ORDERED_BY))
    return f"{_KERNELS} {platform.machine()} {digest.hexdigest()[:16]}"


def is_conversion(path: Path, sha256: str) -> bool:
    """Whether a file is a conversion of the checkpoint with this digest, for these kernels, and whole.

    Raises OSError where it can't be read, Fatal where the kernels, or what checks sums, are not installed.
    """
    try:
        import google_crc32c  # with the separator
    except ModuleNotFoundError as error:
        raise not_installed("google_crc32c") from error
    prefix = conversion_prefix(sha256)
    with path.open("rb") as file:
        length, begin, told = file.read(8), file.read(len(prefix)), file.read(8)
        crc = int(google_crc32c.value(length))
        while chunk := file.read(_CHUNK):
            crc = google_crc32c.extend(crc, chunk)
    return begin == prefix and told == checksum_text(crc)


def checksum_text(crc: int) -> bytes:
    """As it stands in the header. crc: CRC-32C of the first 8 bytes and of all that follows the text."""
    return struct.pack(">I", crc).hex().encode()


def conversion_needed_by(runtime: str) -> Callable[[str, Path, str], None] | None:
    """What to call with a model's name, folder and digest before this runtime first loads it; None for nothing."""
    return None if RUNTIMES[SeparatorRuntime(runtime)].reads_checkpoints else ensure_converted


def ensure_converted(name: str, folder: Path, sha256: str) -> None:
    """Convert the checkpoint with this digest unless that is done, and keep the conversion beside it.

    Where that fails nothing is raised: whoever loads the model reads the checkpoint itself, and reports what is wrong.
    """
    with contextlib.suppress(OSError, Rejected, Fatal):
        convert(name, folder, sha256)


def discard_unfit(name: str, folder: Path, sha256: str) -> None:
    """Remove a conversion that came with this checkpoint and can't be used: another's, damaged, or for other kernels.

    Where no kernels are installed there is nothing to hold it against, and it stays.
    """
    with contextlib.suppress(OSError, Rejected, Fatal):
        kept = conversion_path(name, folder)
        if kept.is_file() and not is_conversion(kept, sha256):
            kept.unlink()


def convert(name: str, folder: Path, sha256: str) -> Path:
    """The conversion of the checkpoint with this digest: the one that is kept, where that is whole, or a new one.

    Raises Rejected(MODEL_UNAVAILABLE) where the checkpoint can't be read, OSError where its folder can't be written to,
    Fatal where the kernels are not installed.
    """
    kept = conversion_path(name, folder)
    with contextlib.suppress(OSError):
        if kept.is_file() and is_conversion(kept, sha256):
            return kept
    fresh = kept.with_name(f".{kept.name}-{uuid.uuid4().hex}")
    try:
        with fresh.open("xb") as out:
            convert_into(out, name, folder)
            out.flush()
            os.fsync(out.fileno())  # whole before it gets its name, whatever becomes of the machine
        if not is_conversion(fresh, sha256):
            raise unavailable(name, "its checkpoint was replaced while it was being read")
        fresh.replace(kept)  # never written into: others may have it mapped
    finally:
        fresh.unlink(missing_ok=True)
    return kept


def convert_into(out: BinaryIO, name: str, folder: Path) -> None:
    """Have the conversion of this model's checkpoint written to an open file, by a process that confines itself first.

    What it has written is a stranger's too until it is checked. Raises Rejected(MODEL_UNAVAILABLE), OSError.
    """
    command = [sys.executable, "-m", "consumer.separator.runtimes.convert", name, str(folder)]
    environment = {variable: os.environ[variable] for variable in _PASSED_ON if variable in os.environ}
    ended = run_to_its_end(command, stdout=out, environment=environment, within_s=CONVERSION_S)
    if ended.is_late:
        raise unavailable(name, f"its checkpoint was not read within {CONVERSION_S:.0f} s")
    if ended.code:
        raise unavailable(name, _last_line(ended))


def _last_line(ended: Ended) -> str:
    lines = ended.last_words.decode("utf-8", "replace").strip().splitlines()
    if ended.code > 0 and lines:
        return str(lines[-1][:500])
    how = f"by signal {-ended.code}" if ended.code < 0 else f"with exit code {ended.code}"
    return f"damaged or unreadable checkpoint (what reads it ended {how})"
