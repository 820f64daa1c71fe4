"""`python -m bench.equality`: how near this engine is to Spleeter, beside how near Spleeter is to itself.

The floor is the reference on TensorFlow 2.12.1, which Spleeter 2.4.2 was released for, against the reference on the
TensorFlow of this project: the same weights, the same samples, another build of the same arithmetic.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.material import write_models
from bench.peers import SHERPA_MODEL, sherpa
from consumer.core.runtimes import SeparatorRuntime
from consumer.separator.dsp.engine import separate
from consumer.separator.models.spec import load_spec
from consumer.separator.runtimes.factory import make_runtime
from devstack import system
from harness.audio import music

_SECONDS = 30.0
_OTHER = ["run", "--quiet", "--isolated", "--no-project", "--python", "3.11",
          "--with", "spleeter==2.4.2", "--with", "tensorflow==2.12.1"]  # fmt: skip

Stems = Mapping[str, NDArray[np.float32]]


def main() -> None:
    other = [system.uv(), *_OTHER]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        models = write_models(work / "models")
        samples = music(seconds=_SECONDS, seed=7)
        np.save(work / "samples.npy", samples)
        _say("| stems | | error, dB | identical 16-bit samples |")
        _say("|---|---|---:|---:|")
        for model in ("2stems", "4stems", "5stems"):
            reference = _reference([sys.executable], model, work)
            _row(model, "Spleeter on TensorFlow 2.12", _reference([*other, "python"], model, work), reference)
            for runtime in SeparatorRuntime:
                _row(model, f"this engine, {runtime}", _ours(runtime, model, models, samples), reference)
            if model == SHERPA_MODEL:
                _sherpa_rows(work, reference)


def _reference(python: list[str], model: str, work: Path) -> Stems:
    script, target = Path(__file__).with_name("reference_stems.py"), work / "stems.npz"
    environment = {**os.environ, "MODEL_PATH": str(work / "models"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("VIRTUAL_ENV", None)
    subprocess.run(
        [*python, str(script), model, str(work / "samples.npy"), str(target)],
        env=environment, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=3600,
    )  # fmt: skip
    with np.load(target) as stems:
        return dict(stems)


def _sherpa_rows(work: Path, reference: Stems) -> None:
    """Beside the whole, what lies between its first and last frame: where only one frame reaches, it divides by almost
    nothing, and it writes fewer samples."""
    target = work / "stems-of-sherpa.npz"
    subprocess.run(
        sherpa(str(work / "samples.npy"), str(work / "sherpa"), str(target)),
        env={**os.environ, "MODEL_PATH": str(work / "models")},
        stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=3600,
    )  # fmt: skip
    with np.load(target) as told:
        stems = dict(told)
    shared = min(map(len, stems.values()))
    for name, part in ("sherpa-onnx", slice(shared)), ("the same, without its ends", slice(4096, shared - 4096)):
        _row(
            SHERPA_MODEL,
            name,
            *({stem: samples[part] for stem, samples in those.items()} for those in (stems, reference)),
        )


def _ours(runtime: str, model: str, models: Path, samples: NDArray[np.float32]) -> Stems:
    network = make_runtime(runtime).load(load_spec(model, models))
    at = 0

    def read(count: int) -> NDArray[np.float32]:
        nonlocal at
        at += count
        return samples[at - count : at]

    segments = list(separate(network, read))
    return {
        name: np.concatenate(parts) for name, parts in zip(network.spec.stems, zip(*segments, strict=True), strict=True)
    }


def _row(model: str, name: str, stems: Stems, reference: Stems) -> None:
    """The worst stem counts."""
    errors_db, identical = [], []
    for stem, wanted in reference.items():
        error, signal = (np.sum(np.square(x, dtype=np.float64)) for x in (stems[stem] - wanted, wanted))
        errors_db.append(10 * np.log10(error / signal))
        identical.append(np.mean(_pcm(stems[stem]) == _pcm(wanted)))
    _say(f"| {model[0]} | {name} | {max(errors_db):.1f} | {100 * min(identical):.3f} % |")


def _pcm(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    pcm: NDArray[np.int16] = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
    return pcm


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
