"""Spleeter's audio adapters: what reads and writes sound for a Separator. Scripts may bring one of their own."""

import os
from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from consumer.separator.audio.decode import Decoder
from consumer.separator.spleeter_api import surroundings
from consumer.separator.spleeter_api.encoding import write_samples
from consumer.separator.spleeter_api.errors import SpleeterError, told_as_spleeter_error
from consumer.separator.spleeter_api.options import Span, span, writing
from consumer.separator.workplace import give_names, workplace

Waveform = NDArray[Any]  # of any float type

_BLOCK_SAMPLES = 1 << 20
_SOME_RATE_HZ = 44100
_SPLEETERS = "spleeter.audio.ffmpeg.FFMPEGProcessAudioAdapter"


class AudioAdapter(ABC):
    """What a Separator reads tracks and writes stems with; `load` and `save` are called as Spleeter calls them.

    A descriptor is whatever the adapter understands; for files it is a path.
    """

    _DEFAULT: ClassVar["AudioAdapter | None"] = None

    @abstractmethod
    def load(
        self,
        audio_descriptor: Any,
        offset: float | None = None,
        duration: float | None = None,
        sample_rate: float | None = None,
        dtype: bytes = b"float32",
    ) -> tuple[Waveform, float]:
        """A track's samples, floats (samples, channels), -1..1, and their rate in Hz.

        offset, duration: seconds, None for all. sample_rate: in Hz, None for the track's own.
        """

    @abstractmethod
    def save(
        self,
        path: str | os.PathLike[str],
        data: Waveform,
        sample_rate: float,
        codec: str | None = None,
        bitrate: str | None = None,
    ) -> None:
        """Write floats (samples, channels), -1..1, at sample_rate Hz. codec: None for what the path's ending says."""

    @classmethod
    def default(cls) -> "AudioAdapter":
        """The adapter for files, made once. Raises SpleeterError where there is no ffmpeg."""
        if AudioAdapter._DEFAULT is None:
            AudioAdapter._DEFAULT = FFMPEGProcessAudioAdapter()
        return AudioAdapter._DEFAULT

    @classmethod
    def get(cls, descriptor: str) -> "AudioAdapter":
        """The adapter of a class, named as package.module.Class; none, and Spleeter's own, are the default.

        Raises SpleeterError where it is no adapter, ImportError and AttributeError where there is none of that name.
        """
        if descriptor in ("", _SPLEETERS):
            return cls.default()
        module, _, name = descriptor.rpartition(".")
        found = getattr(import_module(module), name)
        if not isinstance(found, type) or not issubclass(found, AudioAdapter):
            raise SpleeterError(f"{name} is not a valid AudioAdapter class")
        return found()


class FFMPEGProcessAudioAdapter(AudioAdapter):
    """Reads and writes files with ffmpeg, confined as the service's own.

    One channel stays one; of more than two a stereo mix is made. FFMPEG_PATH names another ffmpeg than the one that is
    installed with this package. Making it raises SpleeterError where there is none.
    """

    def __init__(self) -> None:
        self._ffmpeg = surroundings.ffmpeg()

    def load(
        self,
        audio_descriptor: str | bytes | os.PathLike[str],
        offset: float | None = None,
        duration: float | None = None,
        sample_rate: float | None = None,
        dtype: bytes = b"float32",
    ) -> tuple[Waveform, float]:
        """See AudioAdapter.load. Raises SpleeterError where the file can't be read."""
        path, part = existing_file(audio_descriptor), span(offset, duration)
        wanted = np.dtype(dtype.decode() if isinstance(dtype, bytes) else dtype)
        with told_as_spleeter_error(), TemporaryDirectory() as scratch:
            ffmpeg = self._ffmpeg.confined_to(path, Path(scratch))
            rate_hz = _whole_rate(sample_rate)
            if rate_hz is None:
                with Decoder(ffmpeg, path, rate_hz=_SOME_RATE_HZ, max_s=float("inf")) as decoder:
                    rate_hz = decoder.probe.sample_rate_hz or _SOME_RATE_HZ
            with _decoder(ffmpeg, path, rate_hz, part) as decoder:
                blocks = [decoder.read(_BLOCK_SAMPLES)]
                while len(blocks[-1]) == _BLOCK_SAMPLES:
                    blocks.append(decoder.read(_BLOCK_SAMPLES))
                channels = 1 if decoder.probe.channels == 1 else 2
        return np.concatenate(blocks)[:, :channels].astype(wanted, copy=False), rate_hz

    def save(
        self,
        path: str | os.PathLike[str],
        data: Waveform,
        sample_rate: float,
        codec: str | None = None,
        bitrate: str | None = None,
    ) -> None:
        """See AudioAdapter.save. Raises SpleeterError; what bore the name before stays as it was then."""
        target = Path(path).absolute()
        if not target.parent.is_dir():
            raise SpleeterError(f"output directory does not exists: {target.parent}")
        samples = np.asarray(data)
        if samples.ndim != 2 or not samples.shape[1] or samples.dtype.kind != "f":
            raise SpleeterError(f"data must be floats (samples, channels), not {samples.dtype} {samples.shape}")
        how, rate_hz = writing(codec, bitrate, target), _whole_rate(sample_rate)
        if rate_hz is None:
            raise SpleeterError("sample_rate must be given")
        with told_as_spleeter_error(), workplace([target]) as folder:
            made = folder / f"stem.{how.row.extension}"
            reach = self._ffmpeg.confined_to(made, folder)
            write_samples(reach, made, samples, rate_hz, how)
            give_names({made: target})


def existing_file(descriptor: str | bytes | os.PathLike[str]) -> Path:
    """The path of a track, absolute. Raises SpleeterError where no file is there."""
    path = Path(os.fsdecode(descriptor)).absolute()
    if not path.exists():
        raise SpleeterError(f"{path}: no such file")
    if path.is_dir():
        raise SpleeterError(f"{path} is a folder, not a file")
    return path


def _decoder(ffmpeg: Any, path: Path, rate_hz: int, part: Span) -> Decoder:
    return Decoder(ffmpeg, path, rate_hz=rate_hz, start_s=part.start_s, duration_s=part.duration_s, max_s=float("inf"))


def _whole_rate(sample_rate: float | None) -> int | None:
    """In Hz. Raises SpleeterError where it is none."""
    if sample_rate is None:
        return None
    rate_hz = round(float(sample_rate))
    if rate_hz < 1:
        raise SpleeterError(f"sample_rate must be Hz, not {sample_rate}")
    return rate_hz
