"""Stem files as a separator left them: opened so that nothing but a plain file of a possible size is read.

A separator reads strangers' bytes. Should it be taken over, whatever it leaves in its folder may be a link to another
file, a pipe that never ends, or fill the disk.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from consumer.core.catalog import FORMATS
from consumer.core.model import StemFile

STEM_RATE_HZ = 44_100  # of Spleeter's networks, whose rate stems have
_SLACK_BYTES = 32 << 20  # headers, tags and a cover picture, which has at most half of that


class NotAStem(Exception):
    """What lies where a stem should lie can't be one; the message says why, without a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStem:
    """path: leads to the very file that was opened, whatever its name leads to by now. size_bytes: as it was then."""

    path: Path
    size_bytes: int


def stem_bytes(format: str, bitrate: str | None, audio_s: float) -> int:
    """Bytes that one stem of so many seconds takes, rounded up; of lossy formats twice what their bitrate says."""
    return int(FORMATS[format].bytes_per_second(bitrate, STEM_RATE_HZ) * audio_s) + 1


def most_stem_bytes(format: str, bitrate: str | None, audio_s: float) -> int:
    """More than any stem of so many seconds takes, with all that is put into it beside its sound."""
    return stem_bytes(format, bitrate, audio_s) + _SLACK_BYTES


@contextmanager
def opened_stem(file: StemFile, format: str, bitrate: str | None) -> Iterator[OpenStem]:
    """The stem, held open. Raises NotAStem where it is no regular file of its own, of a size that fits its seconds."""
    with (
        _opened(file.path.parent, os.O_DIRECTORY, None) as folder,
        # A pipe would be waited for without O_NONBLOCK, which regular files don't know.
        _opened(file.path.name, os.O_NONBLOCK | os.O_NOCTTY, folder) as descriptor,
    ):
        facts = os.fstat(descriptor)
        most = most_stem_bytes(format, bitrate, file.duration_s)
        if not stat.S_ISREG(facts.st_mode):
            raise NotAStem("it is no regular file")
        if facts.st_nlink != 1:
            raise NotAStem("it has another name elsewhere")
        if facts.st_size > most:
            raise NotAStem(f"it has {facts.st_size} bytes, and {file.duration_s:g} s have at most {most}")
        yield OpenStem(path=Path(f"/proc/self/fd/{descriptor}"), size_bytes=facts.st_size)


@contextmanager
def _opened(name: str | Path, flags: int, folder: int | None) -> Iterator[int]:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.EIO):
            raise  # this machine's
        raise NotAStem(f"it can't be opened ({error.strerror})") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)
