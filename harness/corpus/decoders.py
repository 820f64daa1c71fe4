"""Other decoders, each by other people than FFmpeg's where there is one; every one gives what it hears in a file."""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile

from harness.corpus.signal import Samples

# command -> Debian's package that brings it
PACKAGES = {
    "faad": "faad", "flac": "flac", "mpg123": "mpg123", "oggdec": "vorbis-tools", "opusenc": "opus-tools",
    "opusdec": "opus-tools", "speexdec": "speex", "speexenc": "speex", "wvunpack": "wavpack",
}  # fmt: skip
# Where in Vorbis's order of channels (Vorbis I, 4.3.9), which libsndfile leaves as it is, those of WAVE's order are.
_VORBIS_ORDER = {
    3: [0, 2, 1], 5: [0, 2, 1, 3, 4], 6: [0, 2, 1, 5, 3, 4], 7: [0, 2, 1, 6, 5, 3, 4], 8: [0, 2, 1, 7, 5, 6, 3, 4],
}  # fmt: skip
_LIMIT_S = 60.0
_JITTER_S = 0.03  # of timestamps in containers that count milliseconds, and no gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """samples: float64 (frames, channels) at rate_hz."""

    samples: Samples
    rate_hz: int


class Refused(Exception):
    """A decoder's reason for giving nothing."""


def _libsndfile(path: Path) -> Heard:
    try:
        samples, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        raise Refused(str(error)) from error
    with soundfile.SoundFile(path) as file:
        order = _VORBIS_ORDER.get(file.channels) if file.subtype == "VORBIS" else None
    return Heard(samples=samples if order is None else samples[:, order], rate_hz=rate_hz)


def _to_wav(command: Callable[[str, str], Sequence[str]]) -> Callable[[Path], Heard]:
    """A decoder that writes WAV files, by the command line for a file and its target."""

    def decode(path: Path) -> Heard:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "heard.wav"
            _run(command(str(path), str(target)))
            if not target.exists():
                raise Refused("nothing was written")
            return _libsndfile(target)

    return decode


def _pyav(path: Path) -> Heard:
    """FFmpeg's libraries of another version, with a timeline of our own: each frame lies where its time says."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.best("audio")
            if stream is None:
                raise Refused("there is no audio")
            start_s = (container.start_time or 0) / av.time_base
            return _placed([frame for frame in container.decode(stream) if isinstance(frame, av.AudioFrame)], start_s)
    except (av.FFmpegError, ValueError) as error:
        raise Refused(str(error)) from error


def _placed(frames: Sequence[av.AudioFrame], start_s: float) -> Heard:
    if not frames:
        raise Refused("there are no frames")
    rate_hz, pieces, position = frames[0].sample_rate, list[Samples](), 0
    for frame in frames:
        samples = _as_floats(frame)
        start = position
        if frame.pts is not None and frame.time_base is not None:
            start = round((float(frame.pts * frame.time_base) - start_s) * rate_hz)
        if start - position > _JITTER_S * rate_hz:
            pieces.append(np.zeros((start - position, samples.shape[1])))
            position = start
        pieces.append(samples)
        position += len(samples)
    return Heard(samples=np.vstack(pieces), rate_hz=rate_hz)


def _as_floats(frame: av.AudioFrame) -> Samples:
    values, channels = frame.to_ndarray(), frame.layout.nb_channels
    values = values.T if frame.format.is_planar else values.reshape(-1, channels)
    if values.dtype == np.uint8:
        return np.asarray((values.astype(np.float64) - 128) / 128)
    scale = 1.0 if values.dtype.kind == "f" else 2.0 ** (8 * values.dtype.itemsize - 1)
    return np.asarray(values / scale, np.float64)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=_LIMIT_S,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        raise Refused(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-200:]}")


DECODERS: dict[str, Callable[[Path], Heard]] = {
    "faad": _to_wav(lambda path, target: ("faad", "-q", "-b", "4", "-o", target, path)),
    "flac": _to_wav(lambda path, target: ("flac", "-d", "-s", "-o", target, path)),
    "libsndfile": _libsndfile,
    "mpg123": _to_wav(lambda path, target: ("mpg123", "-q", "--resync-limit", "-1", "-e", "f32", "-w", target, path)),
    "pyav": _pyav,
    "oggdec": _to_wav(lambda path, target: ("oggdec", "-Q", "-b", "16", "-o", target, path)),
    "opusdec": _to_wav(lambda path, target: ("opusdec", "--quiet", "--float", "--no-dither", path, target)),
    "speexdec": _to_wav(lambda path, target: ("speexdec", "--no-enh", path, target)),
    "wvunpack": _to_wav(lambda path, target: ("wvunpack", "-q", "-y", path, "-o", target)),
}


def other(name: str, path: Path) -> Heard:
    """What that decoder hears. Raises Refused."""
    return DECODERS[name](path)
