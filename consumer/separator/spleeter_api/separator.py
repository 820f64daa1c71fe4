"""Spleeter's Separator on this engine."""

import logging
import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from consumer.core.file_names import DEFAULT_TEMPLATE
from consumer.separator.dsp.engine import separate
from consumer.separator.dsp.network import Network
from consumer.separator.dsp.spectral import Read, Samples
from consumer.separator.spleeter_api import surroundings
from consumer.separator.spleeter_api.adapter import AudioAdapter, FFMPEGProcessAudioAdapter, Waveform, existing_file
from consumer.separator.spleeter_api.configuration import find_spec
from consumer.separator.spleeter_api.encoding import transcode
from consumer.separator.spleeter_api.errors import SpleeterError, told_as_spleeter_error
from consumer.separator.spleeter_api.model import load_network
from consumer.separator.spleeter_api.names import refuse_to_write_onto, stem_paths
from consumer.separator.spleeter_api.options import (
    WMA,
    Codec,
    STFTBackend,
    Writing,
    check_backend,
    ending,
    span,
    writing,
)
from consumer.separator.track import TrackOrder, separate_track
from consumer.separator.workplace import give_names, workplace

_LOG = logging.getLogger("consumer.separator")


class Separator:
    """Separates waveforms and files with one model, which is loaded by the first of them and kept.

    params_descriptor: spleeter: and a model's name, such as spleeter:4stems, or a configuration file's path.
    MWF: must be false. multiprocess: whether several stems are written at a time where an adapter of the caller's own
    writes them. stft_backend: any of Spleeter's; they make no difference here.

    Weights lie under MODEL_PATH, as with Spleeter; nothing is fetched. SEPARATOR_RUNTIME says what computes. Safe for
    several threads, which take turns. Making one raises SpleeterError where the model or an option is not known.
    """

    def __init__(
        self,
        params_descriptor: str | os.PathLike[str],
        MWF: bool = False,  # noqa: N803, FBT001, FBT002 - Spleeter's
        multiprocess: bool = True,  # noqa: FBT001, FBT002
        stft_backend: str | None = STFTBackend.AUTO,
    ) -> None:
        if MWF:
            raise SpleeterError("MWF is not supported: Wiener filtering needs the whole track in memory")
        check_backend(stft_backend)
        self._spec = find_spec(params_descriptor, surroundings.model_path())
        self._network: Network | None = None
        self._lock = Lock()
        self._writers = ThreadPoolExecutor() if multiprocess else None
        self._tasks: list[Future[None]] = []

    def separate(
        self,
        waveform: Waveform,
        audio_descriptor: object = "",  # noqa: ARG002 - Spleeter's, which hands it through its graph and forgets it
    ) -> dict[str, Samples]:
        """The stems of a waveform, each float32 (samples, 2), by their names; as many samples as the waveform has.

        waveform: floats (samples, channels), -1..1, at the model's rate. One channel is taken for both, of more than
        two the first two. audio_descriptor: not used. Raises SpleeterError.
        """
        track = _checked(waveform)
        stems = {name: np.empty((len(track), 2), np.float32) for name in self._spec.stems}
        position = 0
        with (
            self._lock,
            told_as_spleeter_error(),
            closing(separate(self._loaded(), _reading(track))) as segments,
        ):
            for segment in segments:
                for stem, samples in zip(stems.values(), segment, strict=True):
                    stem[position : position + len(samples)] = samples
                position += len(segment[0])
        return stems

    def separate_to_file(
        self,
        audio_descriptor: Any,
        destination: str | os.PathLike[str],
        audio_adapter: AudioAdapter | None = None,
        offset: float = 0,
        duration: float | None = 600.0,
        codec: str = Codec.WAV,
        bitrate: str | None = "128k",
        filename_format: str = DEFAULT_TEMPLATE,
        synchronous: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """Separate a track into files under a folder, which is made.

        audio_descriptor: its path, or what the adapter understands; its last two names are in the files' names.
        audio_adapter: what reads and writes, None for files. offset, duration: seconds; with None to the track's end.
        codec: its files' ending, or another format of this project's. bitrate: of a lossy one, such as 192k.
        filename_format: a template of {filename}, {instrument}, {foldername} and {codec}. synchronous: false lets an
        adapter of the caller's own write on until `join`; files are whole in any case when this returns.

        From file to files memory does not grow with the track, and no file has its name before all are whole. Raises
        SpleeterError, OSError where the destination can't be written to, and what the adapter raises.
        """
        if audio_adapter is None or type(audio_adapter) is FFMPEGProcessAudioAdapter:
            with told_as_spleeter_error():
                how = writing(codec, bitrate)
                targets = stem_paths(
                    audio_descriptor, destination, filename_format, self._spec.stems, how.row.extension
                )
                formats = {writing(codec, bitrate, path) for path in targets.values()}
                if len(formats) > 1:
                    raise SpleeterError("filename_format names files of several formats")
                self._stream(existing_file(audio_descriptor), targets, formats.pop(), offset, duration)
            return
        rate_hz = self._spec.sample_rate_hz
        waveform, _ = audio_adapter.load(audio_descriptor, offset=offset, duration=duration, sample_rate=rate_hz)
        stems = self.separate(waveform, audio_descriptor)
        self.save_to_file(
            stems, audio_descriptor, destination, filename_format, codec, audio_adapter, bitrate, synchronous
        )

    def save_to_file(
        self,
        sources: Mapping[str, Waveform],
        audio_descriptor: Any,
        destination: str | os.PathLike[str],
        filename_format: str = DEFAULT_TEMPLATE,
        codec: str = Codec.WAV,
        audio_adapter: AudioAdapter | None = None,
        bitrate: str | None = "128k",
        synchronous: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """Write stems, as `separate` returns them, to files; the other arguments are those of `separate_to_file`.

        Raises SpleeterError, OSError and what the adapter raises; where it is not synchronous `join` raises them.
        """
        adapter = audio_adapter if audio_adapter is not None else AudioAdapter.default()
        targets = stem_paths(audio_descriptor, destination, filename_format, sources, ending(codec))
        for name, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            arguments = (str(target), sources[name], self._spec.sample_rate_hz, codec, bitrate)
            if self._writers is None:
                adapter.save(*arguments)
            else:
                self._tasks.append(self._writers.submit(adapter.save, *arguments))
        if synchronous:
            self.join()

    def join(self, timeout: float = 200) -> None:  # noqa: ARG002 - Spleeter's, which waits for as long as it takes too
        """Wait until all is written. Raises what writing raised."""
        while self._tasks:
            self._tasks.pop().result()

    def _stream(
        self, source: Path, targets: Mapping[str, Path], how: Writing, offset: float, duration: float | None
    ) -> None:
        refuse_to_write_onto(source, targets.values())
        part, ffmpeg = span(offset, duration), surroundings.ffmpeg()
        is_wma = how.row is WMA
        with self._lock:
            network = self._loaded()
            with workplace(list(targets.values())) as folder:
                order = TrackOrder(
                    path=source,
                    folder=folder,
                    format="wav-f32" if is_wma else how.format,
                    bitrate=None if is_wma else how.bitrate,
                    start_s=part.start_s,
                    duration_s=part.duration_s,
                )
                separation = separate_track(order, network, ffmpeg)
                made = {stem.name: stem.path for stem in separation.stems}
                if is_wma:
                    for name, path in made.items():
                        made[name] = path.with_suffix(".wma")
                        transcode(ffmpeg.confined_to(path, folder), path, made[name], how)
                give_names({path: targets[name] for name, path in made.items()})
        for warning in separation.warnings:
            _LOG.warning("%s: %s", source, warning)

    def _loaded(self) -> Network:
        if self._network is None:
            self._network = load_network(self._spec)
        return self._network


def _checked(waveform: Waveform) -> Waveform:
    track = np.asarray(waveform)
    if track.ndim != 2 or not track.shape[1] or track.dtype.kind != "f":
        raise SpleeterError(f"waveform must be floats (samples, channels), not {track.dtype} {track.shape}")
    return track


def _reading(track: Waveform) -> Read:
    """What gives the next samples of a waveform, float32 (samples, 2); no more of it than that is copied."""
    position = 0

    def read(count: int) -> Samples:
        nonlocal position
        block = track[position : position + count, :2]
        position += len(block)
        return np.broadcast_to(block, (len(block), 2)).astype(np.float32)

    return read
