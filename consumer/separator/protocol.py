"""What the consumer and its separator process say to each other: JSON, one message a line, over the child's pipes."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from consumer.core.model import Separation


class Configure(msgspec.Struct, frozen=True, tag=True):
    """The first message: how the child is set up. It confines itself, which is answered with Confined; then each of
    `models` is loaded and answered with Loaded or Failed. Files to separate lie in folders of `scratch`.
    """

    model_path: Path
    runtime: str
    allowed_formats: tuple[str, ...]
    models: tuple[str, ...]
    scratch: Path
    ffmpeg_path: str | None = None


class Separate(msgspec.Struct, frozen=True, tag=True):
    """Separate one file; answered by Progress and then by one of Finished, Failed, Stopped."""

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


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Stop the job if it is the one at hand."""

    job: int


class Confined(msgspec.Struct, frozen=True, tag=True):
    """What keeps the child from touching anything else, in a few words."""

    holds: str


class Loaded(msgspec.Struct, frozen=True, tag=True):
    model: str
    seconds: float


class Progress(msgspec.Struct, frozen=True, tag=True):
    job: int
    done: int
    total: int | None


class Finished(msgspec.Struct, frozen=True, tag=True):
    job: int
    separation: Separation


class Failed(msgspec.Struct, frozen=True, tag=True):
    """`job` is None where it was not a job but a model that failed."""

    job: int | None
    code: str
    message: str


class Stopped(msgspec.Struct, frozen=True, tag=True):
    job: int


class Alive(msgspec.Struct, frozen=True, tag=True):
    """Sent every second."""


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
