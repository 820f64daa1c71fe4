"""A separator that has been taken over and lies: `python -m tests.separator.lies` speaks the protocol.

It answers each job with what the file BESIDE, in the folder of the job's file, says: a list of steps, each [what,
argument]. Two are about the reply: `say` writes a line, in which %JOB stands for the job's number, and `finish` reports
stems with these changes. The others prepare files. What it is told with a file that has no such list is done properly.
"""

import json
import os
import socket
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

from consumer.core.catalog import FORMATS, STEM_MODELS
from consumer.core.model import AudioFacts, Separation, StemFile
from consumer.separator.protocol import Confined, Finished, Loaded, Reply, Separate, decode_command, encode

BESIDE = "lies.json"
RATE_HZ = 44_100


def silent_stems(order: Separate) -> tuple[StemFile, ...]:
    """A second of silence for each stem of the order, written where it belongs."""
    stems = []
    for name in STEM_MODELS[order.model].stems:
        path = order.folder / f"{name}.{FORMATS[order.format].extension}"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(bytes(4 * RATE_HZ))
        stems.append(StemFile(name=name, path=path, duration_s=1.0, peak=0.0, clipped_samples=0))
    return tuple(stems)


def finished(order: Separate) -> Finished:
    """A reply that is true."""
    audio = AudioFacts(format="wav", duration_s=1.0, channels=2, sample_rate_hz=RATE_HZ)
    return Finished.of(
        order.job, Separation(audio=audio, stems=silent_stems(order), weights_sha256="0" * 64, timings_s={})
    )


def write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def send(reply: Reply) -> None:
    write(encode(reply))


def finish(order: Separate, changes: dict[str, Any]) -> None:
    """Report what was asked for, but for these fields, each named by its path: {"stems.0.peak": -1}."""
    report = json.loads(encode(finished(order)))
    for path, value in changes.items():
        *way, last = path.split(".")
        place = report["separation"]
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        if isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value
    write(json.dumps(report).encode() + b"\n")


def answer_with_file(order: Separate, put: Callable[[Path], object]) -> None:
    """A true reply, and something else in place of the first stem's file."""
    reply = finished(order)
    stem = order.folder / f"vocals.{order.format}"
    stem.unlink()
    put(stem)
    send(reply)


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def hole(path: Path, size: int) -> None:
    path.touch()
    os.truncate(path, size)


def flood(order: Separate, line: str) -> None:
    while True:
        write(line.replace("%JOB", str(order.job)).encode() + b"\n")


def say_without_end(order: Separate, start: str) -> None:
    write(start.encode())
    while True:
        write(b" " * 65_536)


def move_folder(order: Separate, other: str) -> None:
    """The whole folder away, and a link to another one in its place."""
    reply = finished(order)
    order.folder.rename(order.folder.with_name("away"))
    order.folder.symlink_to(other)
    send(reply)


STEPS: dict[str, Callable[[Separate, Any], object]] = {
    "say": lambda order, line: write(line.replace("%JOB", str(order.job)).encode("utf-8", "surrogatepass") + b"\n"),
    "bytes": lambda _, hexadecimal: write(bytes.fromhex(hexadecimal)),
    "finish": finish,
    "finish twice": lambda order, _: write(2 * encode(finished(order))),
    "flood": flood,
    "endless": say_without_end,
    "end": lambda _, code: os._exit(code),
    "stop": lambda _, seconds: time.sleep(seconds),
    "link": lambda order, target: answer_with_file(order, lambda stem: stem.symlink_to(target)),
    "hard link": lambda order, target: answer_with_file(order, lambda stem: stem.hardlink_to(target)),
    "fifo": lambda order, _: answer_with_file(order, os.mkfifo),
    "folder": lambda order, _: answer_with_file(order, Path.mkdir),
    "socket": lambda order, _: answer_with_file(order, bind),
    "nothing": lambda order, _: answer_with_file(order, lambda stem: None),
    "hole": lambda order, size: answer_with_file(order, lambda stem: hole(stem, size)),
    "folder link": move_folder,
}


def main() -> None:
    """The process is not confined: what is tried here is what the parent believes."""
    commands = sys.stdin.buffer
    decode_command(commands.readline())
    send(Confined("nothing"))
    send(Loaded("2stems", 0.0))
    for line in commands:
        order = decode_command(line)
        if not isinstance(order, Separate):
            continue
        steps = order.path.with_name(BESIDE)
        if not steps.exists():
            send(finished(order))
        for what, argument in json.loads(steps.read_text()) if steps.exists() else ():
            STEPS[what](order, argument)


if __name__ == "__main__":
    main()
