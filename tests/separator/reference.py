"""Spleeter itself, as what the separator is measured against."""

import json
import queue
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from spleeter.separator import Separator, create_estimator

Samples = NDArray[np.float32]
Track = dict[str, Any]  # as Spleeter hands it to its graph


class KeptSeparator(Separator):
    """Spleeter builds its graph anew for each track, in 5 to 15 s; this one gives track after track to one graph.

    All of it happens in a thread of its own, since a prediction that waits for the next track leaves its graph behind
    as the thread's default one.
    """

    def __init__(self, configuration: Path) -> None:
        super().__init__(str(configuration), multiprocess=False)
        self._thread = ThreadPoolExecutor(1)
        self._tracks: queue.SimpleQueue[Track | None] = queue.SimpleQueue()
        self._predictions: Generator[Any, None, None] | None = None

    def separate(self, waveform: Samples, audio_descriptor: str | None = "") -> dict[str, Samples]:
        found: dict[str, Samples] = self._thread.submit(super().separate, waveform, audio_descriptor).result(600)
        return found

    def _get_prediction_generator(self, data: Track) -> Generator[Any, None, None]:
        self._tracks.put(data)
        if self._predictions is None:
            estimator = create_estimator(self._params, self._MWF)
            self._predictions = estimator.predict(self._dataset, yield_single_examples=False)
        return self._predictions

    def _dataset(self) -> tf.data.Dataset:
        signature = {"waveform": tf.TensorSpec((None, 2), tf.float32), "audio_id": tf.TensorSpec((), tf.string)}
        return tf.data.Dataset.from_generator(lambda: iter(self._tracks.get, None), output_signature=signature)

    def close(self) -> None:
        self._tracks.put(None)
        if self._predictions is not None:
            self._thread.submit(next, self._predictions, None).result(600)  # to its end, which closes its session
        self._thread.shutdown()


def write_configuration(path: Path, model: str, model_path: Path, mask_extension: str = "zeros") -> Path:
    """Write Spleeter's configuration of a model whose checkpoint lies under model_path; returns the path."""
    folder = model_path / model.removesuffix("-16kHz")
    own = folder / f"{model}.json"
    shipped = own if own.is_file() else resources.files("spleeter.resources") / f"{model}.json"
    params = json.loads(shipped.read_text()) | {"model_dir": str(folder), "mask_extension": mask_extension}
    path.write_text(json.dumps(params))
    return path


class Reference:
    """Spleeter's stems of test signals. Keeps all of them, and the graph of the model that was asked for last."""

    def __init__(self, model_path: Path, scratch: Path, make_signal: Callable[[object], Samples]) -> None:
        self._model_path, self._scratch, self._make_signal = model_path, scratch, make_signal
        self._stems: dict[tuple[str, str, object], dict[str, Samples]] = {}
        self._kept: tuple[tuple[str, str], KeptSeparator] | None = None

    def stems(self, model: str, mask_extension: str, signal: object) -> dict[str, Samples]:
        key = (model, mask_extension, signal)
        if key not in self._stems:
            separator = self._separator(model, mask_extension)
            self._stems[key] = dict(separator.separate(self._make_signal(signal)))
        return self._stems[key]

    def _separator(self, model: str, mask_extension: str) -> KeptSeparator:
        if self._kept is None or self._kept[0] != (model, mask_extension):
            self.close()
            path = self._scratch / f"{model}-{mask_extension}.json"
            kept = KeptSeparator(write_configuration(path, model, self._model_path, mask_extension))
            self._kept = ((model, mask_extension), kept)
        return self._kept[1]

    def close(self) -> None:
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None
