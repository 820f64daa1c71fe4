"""`python -m bench.one_import [SECONDS]`: prints the table of docs/spleeter.md, in Markdown.

The page's own script, with Spleeter's import and with this project's, each in a process of its own.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.material import tools, write_song
from bench.measure import Run, python, run
from devstack import system
from harness.checkpoints import write_checkpoint
from harness.pages import DOCS, blocks

OURS, SPLEETERS = "from consumer.separator import Separator", "from spleeter.separator import Separator"
SONGS = 2
PAGE = DOCS / "spleeter.md"


def scripts() -> dict[str, str]:
    """The page's script, by the import that it has."""
    [script] = [block for block in blocks(PAGE, "python") if OURS in block]
    return {SPLEETERS: script.replace(OURS, SPLEETERS), OURS: script}


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 180.0
    system.provide({"ffprobe": "ffmpeg"})  # Spleeter's own needs it
    with tempfile.TemporaryDirectory() as folder:
        for line in table(Path(folder), seconds):
            sys.stdout.write(f"{line}\n")


def table(work: Path, seconds: float) -> list[str]:
    songs = [write_song(work / f"song-{number}.mp3", seconds, seed=number) for number in range(SONGS)]
    environment = {
        **os.environ,
        "MODEL_PATH": str(write_checkpoint(work / "models", 2, seed=2).parent),
        "PATH": f"{tools(work / 'bin')}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(DOCS.parent), os.environ.get("PYTHONPATH")])),
    }
    rows = ["| import | one song, s | each further song, s | memory, GB |", "|---|---:|---:|---:|"]
    for line, text in scripts().items():
        script = work / "script.py"
        script.write_text(text)
        if line == OURS:
            _of(script, songs[:1], work, environment)  # converts the checkpoint, which is done once and not measured
        one, several = (_of(script, part, work, environment) for part in (songs[:1], songs))
        further_s = (several.seconds["process"] - one.seconds["process"]) / (SONGS - 1)
        memory_gb = several.peak_bytes / 1e9
        rows.append(f"| `{line}` | {one.seconds['process']:.1f} | {further_s:.1f} | {memory_gb:.1f} |")
    return rows


def _of(script: Path, songs: Sequence[Path], work: Path, environment: Mapping[str, str]) -> Run:
    """The script on these songs; stems go to a folder beside it."""
    return run(["env", f"--chdir={work}", *python(str(script), *map(str, songs))], environment)


if __name__ == "__main__":
    main()
