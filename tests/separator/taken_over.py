"""A separator that somebody has taken over: `python -m tests.separator.taken_over`.

The process around it is the real one. Its job's file names what it does: techniques that it tries; children that it
leaves behind, {"leave": count, "then": "stay" or "go"}; in whose place it stays, {"linger": "separator" or "ffmpeg"};
that it looks around, {"look": true}; how many threads it starts, {"threads": count}.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.process import Handler, main
from consumer.separator.protocol import Configure, Loaded, Reply, Separate
from consumer.separator.sandbox import Reach
from tests.separator import lingering
from tests.separator.lies import finished
from tests.separator.techniques import REPORT, attempt

SEEN = "seen.json"


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


def look_around() -> dict[str, str]:
    """What the kernel tells of the network, which namespaces these are, and who is ended first."""
    own = Path("/proc/self")
    connections = (own / "net/tcp").read_text() + (own / "net/unix").read_text()
    namespaces = {kind: str((own / "ns" / kind).readlink()) for kind in ("net", "ipc")}
    return {"connections": connections, "score": (own / "oom_score_adj").read_text().strip(), **namespaces}


def start_threads(count: int) -> int:
    """How many of them there can be at the same time."""
    threading.stack_size(1 << 16)
    end, started = threading.Event(), []
    try:
        for _ in range(count):
            thread = threading.Thread(target=end.wait)
            thread.start()
            started.append(thread)
    except RuntimeError:
        pass
    finally:
        end.set()
        for thread in started:
            thread.join()
    return len(started)


def stay_for_good(place: str, targets: Path) -> None:
    """In our own place, where nothing reads our input any more, or in that of an ffmpeg that we start."""
    if place == "separator":
        os.execv(sys.executable, [sys.executable, "-B", lingering.__file__, str(targets)])
    program = targets.with_name("ffmpeg")
    program.write_text(f"#!{sys.executable} -ISB\n{Path(lingering.__file__).read_text()}")
    ffmpeg = FFmpeg(binary=str(program), allowed_formats=("wav",), has_own_group=False)
    confined = ffmpeg.confined_to(targets, targets.parent)
    assert confined.reach
    reads = (*confined.reach.reads, Path(sys.base_prefix), Path(sys.prefix))  # what the program is written in
    reach = Reach(reads=reads, writes=confined.reach.writes)
    replace(confined, reach=reach).start([str(targets)]).process.wait(100)


def make_handler(configuration: Configure, send: Callable[[Reply], None]) -> Handler:
    for model in configuration.models:
        send(Loaded(model, 0.0))

    def work(order: Separate, send: Callable[[Reply], None], stop: threading.Event) -> Reply:
        targets = json.loads(order.path.read_text())
        if "linger" in targets:
            stay_for_good(targets["linger"], order.path)
        elif "leave" in targets:
            leave_children(targets["leave"], order.folder / "left")
            if targets["then"] == "go":
                os._exit(0)
        elif "look" in targets:
            (order.folder / SEEN).write_text(json.dumps(look_around()))
        elif "threads" in targets:
            (order.folder / SEEN).write_text(json.dumps(start_threads(targets["threads"])))
        else:
            attempt(targets, order.folder / REPORT)
        return finished(order)

    return work


if __name__ == "__main__":
    main(make_handler)
