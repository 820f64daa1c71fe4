"""The messages between the consumer and its separator process: JSON, one a line, over the process's pipes."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from consumer.core.model import Separation


class Configure(msgspec.Struct, frozen=True, tag=True):
    """The first command: how the process is set up.

    It confines itself, which is answered with Confined; then each of `models` is loaded and answered with Loaded or
    Failed. runtime: a name in SeparatorRuntime. allowed_formats: ffmpeg's demuxers that may open a file. scratch: files
    to separate lie in folders of it. ffmpeg_path: None for the ffmpeg that is installed with us. digests: those that
    checkpoints must have, by their folders.
    """

    model_path: Path
    runtime: str
    allowed_formats: tuple[str, ...]
    models: tuple[str, ...]
    scratch: Path
    ffmpeg_path: str | None = None
    digests: Mapping[str, str] = {}


class Separate(msgspec.Struct, frozen=True, tag=True):
    """Separate one file; answered by Progress and then by one of Finished, Failed, Stopped.

    job: a number that its replies bear, other than any before. The rest is as in TrackOrder.
    """

    job: int
    model: str
    path: Path
    folder: Path
    format: str
    bitrate: str | None
    start_s: float | None
    duration_s: float | None
    high_frequencies: str
    max_audio_s: float
    track: int | None = None


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Stop the job if it is the one at hand."""

    job: int


class Confined(msgspec.Struct, frozen=True, tag=True):
    """The process can touch nothing but what it needs. holds: what keeps it from that, in a few words."""

    holds: str


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """A model is warm, after so many seconds."""

    model: str
    seconds: float


class Progress(msgspec.Struct, frozen=True, tag=True):
    """`done` of `total` segments are separated; `total` is None where the file does not say how long it is."""

    job: int
    done: int
    total: int | None


class Finished(msgspec.Struct, frozen=True, tag=True):
    """The job's stems are whole."""

    job: int
    separation: Separation


class Failed(msgspec.Struct, frozen=True, tag=True):
    """A job failed, or where `job` is None a model that was to be loaded. code: one of the dead-letter codes."""

    job: int | None
    code: str
    message: str


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """The job was stopped, as was asked; it leaves no stem."""

    job: int


class Alive(msgspec.Struct, frozen=True, tag=True):
    """The process's heartbeat, sent every second, also in the middle of a job."""


Command = Configure | Separate | Stop
Reply = Confined | Loaded | Progress | Finished | Failed | Stopped | Alive
Send = Callable[[Reply], None]


def _from_text(kind: type, text: str) -> object:
    return kind(text)  # Path, the one type here that JSON does not know


_encoder = msgspec.json.Encoder(enc_hook=str)


def encode(message: Command | Reply) -> bytes:
    """One line, with its end."""
    return _encoder.encode(message) + b"\n"


decode_command = msgspec.json.Decoder(Command, dec_hook=_from_text).decode
decode_reply = msgspec.json.Decoder(Reply, dec_hook=_from_text).decode
