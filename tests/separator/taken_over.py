"""A separator that somebody has taken over: `python -m tests.separator.taken_over`.

The process around it is the real one. Its job's file names what it does: techniques that it tries, or children that it
leaves behind, {"leave": count, "then": "stay" or "go"}.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from consumer.separator.process import Handler, main
from consumer.separator.protocol import Configure, Loaded, Reply, Separate
from tests.separator.lies import finished
from tests.separator.techniques import REPORT, attempt


def leave_children(count: int, report: Path) -> None:
    """Each is the child of one that has ended, and keeps all pipes open."""
    for _ in range(count):
        if not (middle := os.fork()):
            if not os.fork():
                with report.open("a") as file:
                    file.write(f"{os.getpid()}\n")
                time.sleep(600)
            os._exit(0)
        os.waitpid(middle, 0)
    while not report.exists() or len(report.read_text().split()) < count:
        time.sleep(0.01)


def make_handler(configuration: Configure, send: Callable[[Reply], None]) -> Handler:
    for model in configuration.models:
        send(Loaded(model, 0.0))

    def work(order: Separate, send: Callable[[Reply], None], stop: threading.Event) -> Reply:
        targets = json.loads(order.path.read_text())
        if "leave" in targets:
            leave_children(targets["leave"], order.folder / "left")
            if targets["then"] == "go":
                os._exit(0)
        else:
            attempt(targets, order.folder / REPORT)
        return finished(order)

    return work


if __name__ == "__main__":
    main(make_handler)
