"""The folder in which a replica's tracks lie while they are worked on: its own, and empty when it begins."""

import fcntl
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from consumer.core.errors import Fatal, ScratchUnavailable
from consumer.core.model import LocalTrack
from consumer.pipeline.clearing import clear, remove_folder

MARGIN_BYTES = 64 << 20  # that stay free beside what is fetched


class Scratch:
    """`folder` follows from the group and the replica's name, so that what its predecessor left can be removed.

    max_bytes: what may lie in it at most, None for all of its disk.
    """

    def __init__(self, folder: Path, *, max_bytes: int | None = None) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._lock: int | None = None
        self._reserving = threading.Lock()
        self._reserved_bytes = 0
        self._rooms: list[TrackRoom] = []
        self._missed_bytes = 0  # of the last track that found no room

    def claim(self) -> None:
        """Make it, empty, and keep others from it until `release`, or our death.

        Raises Fatal where it can't be written to, or belongs to another replica that runs on this machine.
        """
        try:
            self._lock = self._locked()
            clear(self.folder)
        except BlockingIOError as error:
            raise Fatal("INSTANCE_ID: another replica runs on this machine under the same name") from error
        except OSError as error:
            raise Fatal(f"SCRATCH_DIR: can't be written to ({error.strerror})") from error

    def _locked(self) -> int:
        """A descriptor of the folder that holds its lock."""
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.fchmod(descriptor, 0o700)  # which fails where it is another user's
                if self.folder.exists() and os.path.samestat(os.fstat(descriptor), self.folder.stat()):
                    return descriptor
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)  # its last holder has just removed it

    @contextmanager
    def reserved(self, size_bytes: int) -> Iterator[None]:
        """Room for a file that is written within this block. Raises ScratchUnavailable."""
        with self._reserving:
            self._demand(self._outstanding_bytes() + size_bytes)
            self._reserved_bytes += size_bytes
        try:
            yield
        finally:
            with self._reserving:
                self._reserved_bytes -= size_bytes

    @contextmanager
    def lent(self, track: LocalTrack, folder: Path | None) -> Iterator[LocalTrack]:
        """The track, whose own folder lies in this one within this block, with all that is laid beside it. None: it
        stays where it is. Raises ScratchUnavailable.

        Afterwards all that is in this folder lies in the track's own: whoever reaches this one alone has none of it.
        """
        if folder is None:
            yield track
            return
        place = folder / track.folder.name
        try:
            track.folder.rename(place)
        except OSError as error:
            raise ScratchUnavailable.of(error) from error
        try:
            yield replace(track, path=place / track.path.name)
        finally:
            # Where somebody has taken it away there are no stems, as is told when they are stored.
            with suppress(OSError):
                place.rename(track.folder)
                for left in folder.iterdir():
                    left.rename(track.folder / f"left-{uuid.uuid4().hex}")

    @contextmanager
    def room_beside(self, source: Path) -> Iterator["TrackRoom"]:
        """Room for the stems of a track that is here, in its folder, which are written within this block."""
        room = TrackRoom(self, source)
        with self._reserving:
            self._rooms.append(room)
        try:
            yield room
        finally:
            with self._reserving:
                self._rooms.remove(room)

    def grow(self, room: "TrackRoom", size_bytes: int) -> None:
        """See TrackRoom.reserve."""
        with self._reserving:
            missing_bytes = max(0, size_bytes - room.reserved_bytes)
            self._demand(self._outstanding_bytes() + missing_bytes)
            room.reserved_bytes += missing_bytes

    def _outstanding_bytes(self) -> int:
        """What was promised and is not yet written."""
        return self._reserved_bytes + sum(room.outstanding_bytes() for room in self._rooms)

    def check(self) -> None:
        """There is room for the track that found none, and a file can be made. Raises ScratchUnavailable."""
        with self._reserving:
            self._demand(self._missed_bytes)
            self._missed_bytes = 0
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                file.write(b"x")
        except OSError as error:
            raise ScratchUnavailable.of(error) from error

    def capacity_bytes(self) -> int:
        """What a track may need at most, were nothing else there. Raises ScratchUnavailable."""
        total_bytes = self._disk_usage().total
        return (total_bytes if self._max_bytes is None else min(total_bytes, self._max_bytes)) - MARGIN_BYTES

    def _free_bytes(self) -> int:
        free_bytes = self._disk_usage().free
        if self._max_bytes is None:
            return free_bytes
        return min(free_bytes, max(0, self._max_bytes - _used_bytes(self.folder)))

    def _disk_usage(self) -> "shutil._ntuple_diskusage":
        try:
            return shutil.disk_usage(self.folder)
        except OSError as error:
            raise ScratchUnavailable.of(error) from error

    def _demand(self, size_bytes: int) -> None:
        free_bytes = self._free_bytes()
        if free_bytes < size_bytes + MARGIN_BYTES:
            self._missed_bytes = max(self._missed_bytes, size_bytes)
            raise ScratchUnavailable(
                f"SCRATCH_DIR: {free_bytes} bytes are free, {size_bytes + MARGIN_BYTES} are needed"
            )

    def release(self) -> None:
        """Remove it, and let others have it. What was never claimed is left alone."""
        if self._lock is not None:
            with suppress(OSError):
                remove_folder(self.folder)
            os.close(self._lock)
            self._lock = None


class TrackRoom:
    """See ports.Room. reserved_bytes: what its stems were promised; changed by its Scratch alone."""

    def __init__(self, scratch: Scratch, source: Path) -> None:
        self._scratch, self._source = scratch, source
        self.reserved_bytes = 0

    @property
    def most_bytes(self) -> int:
        """See ports.Room. Raises ScratchUnavailable."""
        return max(0, self._scratch.capacity_bytes() - _size_of(self._source))

    def reserve(self, size_bytes: int) -> None:
        """See ports.Room."""
        self._scratch.grow(self, size_bytes)

    def outstanding_bytes(self) -> int:
        """What it was promised and has not written yet."""
        try:
            files = [path for path in self._source.parent.iterdir() if path != self._source]
        except OSError:  # it is being removed
            files = []
        return max(0, self.reserved_bytes - sum(map(_size_of, files)))


def _used_bytes(folder: Path) -> int:
    """What all in it takes up, as far down as names go."""
    used_bytes, folders = 0, [folder]
    while folders:
        with suppress(OSError):  # it is being removed
            for path in folders.pop().iterdir():
                used_bytes += _size_of(path)
                if path.is_dir() and not path.is_symlink():
                    folders.append(path)
    return used_bytes


def _size_of(path: Path) -> int:
    """What a file takes up; 0 where it is gone, or is none."""
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0
