"""Work that is held still while a test looks, so that no machine is quick enough to be done before."""

from contextlib import suppress

import psutil

from harness.replica_process import ReplicaProcess


def hold_still(*replicas: ReplicaProcess) -> None:
    """Stop their separators, also those that took the place of one that was killed for not answering."""
    for replica in replicas:
        for separator in replica.separators():
            with suppress(psutil.NoSuchProcess):
                separator.suspend()


def go_on(replica: ReplicaProcess) -> None:
    for separator in replica.separators():
        with suppress(psutil.NoSuchProcess):
            separator.resume()


def hold_ffmpegs(replica: ReplicaProcess) -> bool:
    """Stop what reads and writes sound, and leave the separator as it is, which waits for that; False: nothing does."""
    found = False
    for process in psutil.Process(replica.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.name().startswith("ffmpeg") and "-i" in process.cmdline():
                process.suspend()
                found = True
    return found
