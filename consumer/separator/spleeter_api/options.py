"""Values that Spleeter's methods take, as its scripts write them; imports no numpy."""

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from consumer.core.catalog import DEFAULT_BITRATE, FORMATS, Bitrates, OutputFormat
from consumer.core.limits import LONGEST_SPAN_S, SHORTEST_SPAN_S
from consumer.separator.spleeter_api.errors import SpleeterError

_BARE_KILOBITS = re.compile(r"([1-9]\d{0,2})K?", re.ASCII)


class Codec(StrEnum):
    """Spleeter's codecs, by the endings of their files."""

    WAV = "wav"
    MP3 = "mp3"
    OGG = "ogg"
    M4A = "m4a"
    WMA = "wma"
    FLAC = "flac"


class STFTBackend(StrEnum):
    """What computed the Fourier transform in Spleeter up to 2.3; here all three are the engine's own."""

    AUTO = "auto"
    TENSORFLOW = "tensorflow"
    LIBROSA = "librosa"


# Spleeter's one format that the service does not offer, since its files can't hold where a stem begins and ends.
WMA = OutputFormat(
    extension="wma",
    media_type="audio/x-ms-wma",
    codec="wmav2",
    muxer="asf",
    bitrates=Bitrates(lowest_bps=24_000, highest_bps=384_000),
    highest_sample=100.0,
)
_ENDINGS = {row.extension for row in (*FORMATS.values(), WMA)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a file is written. format: its name in the catalog, or wma. row: what ffmpeg is told. bitrate: such as 192k,
    as ffmpeg takes it.
    """

    format: str
    row: OutputFormat
    bitrate: str


def writing(codec: str | None, bitrate: str | int | None, path: Path | None = None) -> Writing:
    """What a codec and a bitrate ask for, in Spleeter's words or this project's.

    codec: a name, or None. path: the file's; as with Spleeter, its ending decides where the codec is wav or none.
    Raises SpleeterError where there is no such codec, or the format has no such bitrate.
    """
    name = "wav" if codec is None else str(codec)
    named = path.suffix[1:].lower() if path is not None else ""
    if name == "wav" and named in _ENDINGS:
        name = named
    row = WMA if name == WMA.extension else FORMATS.get(name)
    if row is None:
        raise SpleeterError(f"codec must be one of {', '.join([*FORMATS, WMA.extension])}, not {name}")
    if named in _ENDINGS - {row.extension}:
        raise SpleeterError(f"the codec {name} makes .{row.extension} files, not {path}")
    text = DEFAULT_BITRATE if bitrate is None else str(bitrate)
    if bare := _BARE_KILOBITS.fullmatch(text):
        text = f"{bare[1]}k"
    if why := row.why_not_bitrate(text):
        raise SpleeterError(f"bitrate {why}, not {text}")
    return Writing(format=name, row=row, bitrate=text)


def ending(codec: str) -> str:
    """What {codec} in a template stands for: the ending of the codec's files, or the codec where it is not known."""
    return FORMATS[codec].extension if codec in FORMATS else str(codec)


def check_backend(backend: str | None) -> None:
    """Raise SpleeterError unless it is one of STFTBackend's values, or None."""
    known = {str(one) for one in STFTBackend}
    if backend is not None and (not isinstance(backend, str) or str(backend).lower() not in known):
        raise SpleeterError(f"stft_backend must be one of {', '.join(sorted(known))}, not {backend!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Part of a track, in seconds. start_s: None from its beginning. duration_s: None to its end."""

    start_s: float | None
    duration_s: float | None


def span(offset: float | None, duration: float | None) -> Span:
    """The part that Spleeter's offset and duration name. Raises SpleeterError where they name none."""
    start_s = float(offset or 0.0)
    if not 0.0 <= start_s <= LONGEST_SPAN_S:
        raise SpleeterError(f"offset must be seconds from 0 to {LONGEST_SPAN_S:g}, not {offset}")
    if duration is None or duration == math.inf:
        return Span(start_s=start_s or None, duration_s=None)
    if not float(duration) >= SHORTEST_SPAN_S:
        raise SpleeterError(f"duration must be at least {SHORTEST_SPAN_S:g} seconds, not {duration}")
    return Span(start_s=start_s or None, duration_s=min(float(duration), LONGEST_SPAN_S))
