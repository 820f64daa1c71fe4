"""sherpa-onnx, which people would take instead: `python -m bench.sherpa SONG.mp3 FOLDER`.

Prints a warm job's seconds as JSON. Of SAMPLES.npy it writes the stems as numbers, into a third argument's file.
It knows two stems only and takes samples, so reading and writing of files is here what it is in its own example.
`bench.peers` makes the command that has it: the project itself has no use for it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import sherpa_onnx
import soundfile
from numpy.typing import NDArray

from bench.contenders import warm
from bench.onnx_networks import write_onnx
from consumer.separator.audio.ffmpeg import bundled_binary
from consumer.separator.models.checkpoint import load_checkpoint
from consumer.separator.models.spec import load_spec
from consumer.settings import SeparatorSettings
from harness.audio import RATE_HZ

_MODEL = "2stems"


def main() -> None:
    song, folder, *stems_file = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    names, engine = _engine(folder)
    if stems_file:
        np.savez(stems_file[0], **dict(zip(names, _separate(engine, np.load(song)), strict=True)))
        return

    def job() -> None:
        for name, samples in zip(names, _separate(engine, _decode(song)), strict=True):
            soundfile.write(folder / f"{name}.wav", samples, RATE_HZ, "PCM_16")

    sys.stdout.write(f"\n{json.dumps({'job': warm(job)})}\n")


def _engine(folder: Path) -> tuple[tuple[str, ...], Any]:
    """The stems' names in its order, and it, with as many threads as there are cores, of the checkpoint's weights."""
    spec = load_spec(_MODEL, SeparatorSettings.load().model_path)
    networks = dict(zip(spec.stems, load_checkpoint(spec)[1], strict=True))
    files = {stem: folder / f"{stem}.onnx" for stem in ("vocals", "accompaniment")}
    for stem, file in files.items():
        write_onnx(file, spec, networks[stem])
    spleeter = sherpa_onnx.OfflineSourceSeparationSpleeterModelConfig(
        **{name: str(file) for name, file in files.items()}
    )
    model = sherpa_onnx.OfflineSourceSeparationModelConfig(
        spleeter=spleeter, num_threads=len(os.sched_getaffinity(0)), debug=False, provider="cpu"
    )
    return tuple(files), sherpa_onnx.OfflineSourceSeparation(sherpa_onnx.OfflineSourceSeparationConfig(model=model))


def _separate(engine: Any, samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """(samples, 2) each."""
    done = engine.process(sample_rate=RATE_HZ, samples=np.ascontiguousarray(samples.T))
    return [np.transpose(stem.data) for stem in done.stems]


def _decode(song: Path) -> NDArray[np.float32]:
    command = [
        bundled_binary(),
        "-v",
        "error",
        "-i",
        str(song),
        "-f",
        "f32le",
        "-ar",
        str(RATE_HZ),
        "-ac",
        "2",
        "pipe:1",
    ]
    decoded = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=600).stdout
    return np.frombuffer(decoded, np.float32).reshape(-1, 2)


if __name__ == "__main__":
    main()
