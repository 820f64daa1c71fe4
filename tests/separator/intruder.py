"""A separator that has been taken over: `python -m tests.separator.intruder` tries what it should not be able to do.

The protocol and the process around it are the real ones. The job's file is JSON, {name: [what, argument]}; what came of
each attempt, "" or the error, is written beside it.
"""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from consumer.core.model import AudioFacts, Separation
from consumer.separator.process import Handler, main
from consumer.separator.protocol import Configure, Finished, Loaded, Reply, Separate
from tests.separator.lies import silent_stems

REPORT = "report.json"

ATTEMPTS: dict[str, Callable[[str], object]] = {
    "read": lambda path: Path(path).read_bytes(),
    "list": lambda path: os.listdir(path),  # noqa: PTH208
    "write": lambda path: Path(path).write_bytes(b"x"),
    "remove": lambda path: Path(path).unlink(),
    "run": lambda path: subprocess.run(["cat", path], check=True, capture_output=True, timeout=120),
    "connect": lambda port: socket.create_connection(("127.0.0.1", int(port)), timeout=5).close(),
    "listen": lambda port: socket.create_server(("127.0.0.1", int(port))).close(),
    "signal": lambda pid: os.kill(int(pid), 0),
}


def attempt(what: str, argument: str) -> str:
    try:
        ATTEMPTS[what](argument)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def make_handler(configuration: Configure, send: Callable[[Reply], None]) -> Handler:
    for model in configuration.models:
        send(Loaded(model, 0.0))

    def work(order: Separate, send: Callable[[Reply], None], stop: threading.Event) -> Reply:
        wanted = json.loads(order.path.read_text())
        with ThreadPoolExecutor(1) as other:  # threads that are started later are no way out
            report = {name: other.submit(attempt, *what).result(300) for name, what in wanted.items()}
        (order.folder / REPORT).write_text(json.dumps(report))
        audio = AudioFacts(format="wav", duration_s=1.0, channels=2, sample_rate_hz=8000)
        stems = silent_stems(order)  # or the answer would not be taken
        return Finished.of(order.job, Separation(audio=audio, stems=stems, weights_sha256="0" * 64))

    return work


if __name__ == "__main__":
    main(make_handler)
