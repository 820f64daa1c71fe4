"""Starts an intruder: `python -m tests.separator.attacked PLACE TARGETS`, by the user that runs it.

PLACE: `ffmpeg` and `separator` are started as the product does; `nowhere` is held by nothing, to compare with.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from consumer.separator.audio.ffmpeg import FFmpeg
from consumer.separator.client import SeparatorClient
from consumer.separator.protocol import Configure
from consumer.separator.sandbox import Reach
from consumer.settings import environment_without_secrets
from tests.separator.jobs import job, patience

WITHIN_S = 120
TOLD = "told"  # beside TARGETS, what a separator said of its namespaces


def in_place_of_ffmpeg(targets: Path, program: Path) -> None:
    ffmpeg = FFmpeg(binary=str(program), allowed_formats=("wav",)).confined_to(targets, targets.parent)
    assert ffmpeg.reach
    # Beside what ffmpeg may read: what the intruder is written in.
    reads = (*ffmpeg.reach.reads, Path(sys.base_prefix), Path(sys.prefix))
    running = replace(ffmpeg, reach=Reach(reads=reads, writes=ffmpeg.reach.writes)).start([str(targets)])
    try:
        running.process.wait(WITHIN_S)
    finally:
        running.stop()
    sys.stderr.write("\n".join(running.stderr_lines))


def in_place_of_a_separator(targets: Path) -> None:
    configuration = Configure(
        model_path=targets.parent.with_name("models"),
        runtime="native",
        allowed_formats=("wav",),
        models=("2stems",),
        scratch=targets.parent,
    )
    client = SeparatorClient(
        configuration,
        max_audio_s=60.0,
        environment=environment_without_secrets(),
        command=(sys.executable, "-m", "tests.separator.taken_over", str(targets)),
    )
    try:
        client.prepare(patience())
        client.separate(job(), targets, cancel=patience(), on_progress=lambda done, total: None)
        targets.with_name(TOLD).write_text(client.status.namespaces)
    finally:
        client.kill()


def main() -> None:
    place, targets, program = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    given = json.loads(targets.read_text())
    os.set_inheritable(os.open(given["secret"], os.O_RDONLY), True)
    targets.write_text(json.dumps({**given, "parent": os.getpid()}))
    if place == "ffmpeg":
        in_place_of_ffmpeg(targets, program)
    elif place == "separator":
        in_place_of_a_separator(targets)
    else:
        subprocess.run([program, targets], check=True, close_fds=False, timeout=WITHIN_S)


if __name__ == "__main__":
    main()
