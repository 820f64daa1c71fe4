"""The messages between the consumer and its separator process: JSON, one a line, over the process's pipes.

The process reads strangers' bytes and may have been taken over by them. So a reply names no path, and holds nothing
that has no bound: what is outside of these, or is not known here, is no reply.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from consumer.core.limits import HIGHEST_TRACK, LONGEST_SPAN_S, MOST_CHANNELS, MOST_RATE_HZ
from consumer.core.model import Separation

MAX_REPLY_BYTES = 1 << 20  # one line; five stems' overviews take a tenth of it
_MAX_TEXT = 1000

_JobNumber = Annotated[int, Meta(ge=1, le=2**53)]
_Count = Annotated[int, Meta(ge=0, le=2**53)]
_Seconds = Annotated[float, Meta(ge=0.0, le=LONGEST_SPAN_S)]
_Level = Annotated[float, Meta(ge=0.0, le=1e12)]
_Loudness = Annotated[float, Meta(ge=-1000.0, le=1000.0)]
_Text = Annotated[str, Meta(max_length=_MAX_TEXT)]
_Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.+-]{1,64}\Z")]
# What a separator may find. Other codes are none of its business, such as that somebody cancelled.
_CODES = (
    *("AUDIO_EMPTY", "AUDIO_TOO_LONG", "AUDIO_UNDECODABLE", "FORMAT_NOT_ALLOWED", "MODEL_UNAVAILABLE"),
    *("OFFSET_PAST_END", "REQUEST_INVALID", "SEPARATION_FAILED"),
)
_Code = Annotated[str, Meta(pattern=rf"^({'|'.join(_CODES)})\Z")]


class Configure(msgspec.Struct, frozen=True, tag=True):
    """The first command: how the process is set up.

    It confines itself, which is answered with Confined; then each of `models` is loaded and answered with Loaded or
    Failed. runtime: a name in SeparatorRuntime. allowed_formats: ffmpeg's demuxers that may open a file. scratch: files
    to separate lie in folders of it. ffmpeg_path: None for the ffmpeg that is installed with us. sandbox_required:
    whether it ends, once it has told what holds, where a wall is missing. digests: those that checkpoints must have, by
    their folders.
    """

    model_path: Path
    runtime: str
    allowed_formats: tuple[str, ...]
    models: tuple[str, ...]
    scratch: Path
    ffmpeg_path: str | None = None
    sandbox_required: bool = False
    digests: Mapping[str, str] = {}


class Separate(msgspec.Struct, frozen=True, tag=True):
    """Separate one file; answered by Progress and then by one of Finished, Failed, Stopped.

    job: a number from 1 that its replies bear, other than any before. The rest is as in TrackOrder.
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
    room_s: float | None = None


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Stop the job if it is the one at hand."""

    job: int


class _Reply(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """What all replies have in common."""


class Confined(_Reply, frozen=True):
    """The process can touch nothing but what it needs. holds: what keeps it from that, in a few words. namespaces:
    which it has of its own beside that, or why none.
    """

    holds: _Text
    namespaces: _Text = ""


class Loaded(_Reply, frozen=True):
    """A model is warm, after so many seconds."""

    model: _Word
    seconds: _Seconds


class Needs(_Reply, frozen=True):
    """The job's stems will be about so long, by what the file tells, or by what came so far; they may get longer."""

    job: _JobNumber
    audio_s: _Seconds


class Progress(_Reply, frozen=True):
    """`done` of `total` segments are separated; `total` is None where the file does not say how long it is."""

    job: _JobNumber
    done: _Count
    total: _Count | None


class AudioReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As AudioFacts."""

    format: _Word
    duration_s: _Seconds
    channels: Annotated[int, Meta(ge=1, le=MOST_CHANNELS)]
    sample_rate_hz: Annotated[int, Meta(ge=1, le=MOST_RATE_HZ)]
    track: Annotated[int, Meta(ge=0, le=HIGHEST_TRACK)]


class StemReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As StemFile, which lies where its name says."""

    name: _Word
    duration_s: _Seconds
    peak: _Level
    clipped_samples: _Count
    loudness_lufs: _Loudness | None
    overview: Annotated[tuple[_Level, ...], Meta(max_length=4096)]


class SeparationReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As Separation."""

    audio: AudioReport
    stems: Annotated[tuple[StemReport, ...], Meta(max_length=16)]
    weights_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    warnings: Annotated[tuple[_Text, ...], Meta(max_length=64)]
    timings_s: dict[Literal["separate", "encode_tail"], _Seconds]


class Finished(_Reply, frozen=True):
    """The job's stems are whole: each lies in the order's folder, as <its name>.<extension of the order's format>."""

    job: _JobNumber
    separation: SeparationReport

    @classmethod
    def of(cls, job: int, separation: Separation) -> Self:
        """What is told of it."""
        stems = tuple(
            StemReport(
                name=stem.name,
                duration_s=stem.duration_s,
                peak=stem.peak,
                clipped_samples=stem.clipped_samples,
                loudness_lufs=stem.loudness_lufs,
                overview=stem.overview,
            )
            for stem in separation.stems
        )
        audio = separation.audio
        return cls(
            job,
            SeparationReport(
                audio=AudioReport(
                    format=audio.format,
                    duration_s=audio.duration_s,
                    channels=audio.channels,
                    sample_rate_hz=audio.sample_rate_hz,
                    track=audio.track,
                ),
                stems=stems,
                weights_sha256=separation.weights_sha256,
                warnings=tuple(_cut(warning) for warning in separation.warnings),
                timings_s=dict(separation.timings_s),  # type: ignore[arg-type]
            ),
        )


class Failed(_Reply, frozen=True):
    """A job failed, or where `job` is None a model that was to be loaded. code: one of the dead-letter codes."""

    job: _JobNumber | None
    code: _Code
    message: _Text

    @classmethod
    def of(cls, job: int | None, code: str, message: str) -> Self:
        """With a message of any length, which is cut."""
        return cls(job, code, _cut(message))


class Stopped(_Reply, frozen=True):
    """The job was stopped, as was asked; it leaves no stem."""

    job: _JobNumber


class Alive(_Reply, frozen=True):
    """The process's heartbeat, sent every second, also in the middle of a job."""


Command = Configure | Separate | Stop
Reply = Confined | Loaded | Needs | Progress | Finished | Failed | Stopped | Alive
Send = Callable[[Reply], None]


def _from_text(kind: type, text: str) -> object:
    return kind(text)  # Path, the one type here that JSON does not know


_encoder = msgspec.json.Encoder(enc_hook=str)


def encode(message: Command | Reply) -> bytes:
    """One line, with its end."""
    return _encoder.encode(message) + b"\n"


decode_command = msgspec.json.Decoder(Command, dec_hook=_from_text).decode
_reply_decoder: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)


class NotAReply(Exception):
    """What came is no reply."""


def decode_reply(line: bytes) -> Reply:
    """The reply in one line, with its end. Raises NotAReply, with the reason."""
    if not line.endswith(b"\n"):
        raise NotAReply("a reply that does not end")
    try:
        return _reply_decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # ValueError: no UTF-8
        raise NotAReply(f"unreadable reply: {error}"[:_MAX_TEXT]) from error


def _cut(text: str) -> str:
    """What can be sent of it: of words that a file made up, half a character may be there."""
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode()
