"""What a request may ask for: models, and formats to read and to write, one row each.

Light, since it is also what requests are checked against where nothing is separated.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StemModel:
    """A model that separates, one network a stem."""

    folder: str
    """Under MODEL_PATH, with its weights."""
    stems: tuple[str, ...]
    """The stems that it makes, by their names and in its own order."""


_TWO = ("vocals", "accompaniment")
_FOUR = ("vocals", "drums", "bass", "other")
_FIVE = ("vocals", "piano", "drums", "bass", "other")

# The 16kHz variants use the same weights on more frequency bins.
STEM_MODELS: dict[str, StemModel] = {
    "2stems": StemModel(folder="2stems", stems=_TWO),
    "4stems": StemModel(folder="4stems", stems=_FOUR),
    "5stems": StemModel(folder="5stems", stems=_FIVE),
    "2stems-16kHz": StemModel(folder="2stems", stems=_TWO),
    "4stems-16kHz": StemModel(folder="4stems", stems=_FOUR),
    "5stems-16kHz": StemModel(folder="5stems", stems=_FIVE),
}

# Model name -> its folder under MODEL_PATH.
MODELS: dict[str, str] = {name: model.folder for name, model in STEM_MODELS.items()}

# Containers that are opened unless the settings say otherwise, by ffmpeg's demuxer names.
SOURCE_FORMATS = (
    "mp3", "wav", "w64", "flac", "ogg", "mov", "aac", "aiff", "asf", "matroska", "caf", "au", "ac3", "eac3", "wv",
    "ape", "tta", "amr", "mpegts", "mpeg", "avi", "flv",
)  # fmt: skip

# Above a model's band: silence, as Spleeter, or each stem's mean share.
HIGH_FREQUENCIES = ("zeros", "average")

DEFAULT_BITRATE = "128k"  # Spleeter's
_BITRATE = re.compile(r"([1-9]\d{0,2})k|([1-9]\d{3,5})", re.ASCII)
_BITRATE_RANGE_BPS = (8_000, 640_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFormat:
    """A format of stems, and how ffmpeg is made to write it."""

    extension: str
    """Of the stems' keys, without a dot."""
    media_type: str
    """The objects' Content-Type."""
    codec: str
    """ffmpeg's encoder."""
    muxer: str
    """ffmpeg's container."""
    takes: str = "f32le"
    """The samples that the encoder is fed with, as ffmpeg names them: f32le, or s16le."""
    is_lossy: bool = False
    """Whether a bitrate has a meaning."""
    holds_cover: bool = False
    """Whether the source's cover picture is put into it."""
    options: tuple[str, ...] = ()
    """Further output options of ffmpeg."""

    def encoder_args(self, bitrate: str | None) -> list[str]:
        """ffmpeg's output options; `bitrate` is bits per second such as 192k, None for the default of lossy formats."""
        rate = ["-b:a", bitrate or DEFAULT_BITRATE] if self.is_lossy else []
        return ["-c:a", self.codec, *rate, *self.options, "-f", self.muxer]


def _wav(codec: str, takes: str = "f32le") -> OutputFormat:
    # Past 4 GiB a WAV file has to be an RF64 file, or its length is a lie.
    return OutputFormat(
        extension="wav", media_type="audio/wav", codec=codec, muxer="wav", takes=takes, options=("-rf64", "auto")
    )


FORMATS: dict[str, OutputFormat] = {
    "wav": _wav("copy", takes="s16le"),  # rounded here and only packed there: half of an encoder's time
    "wav-s24": _wav("pcm_s24le"),
    "wav-f32": _wav("pcm_f32le"),
    "flac": OutputFormat(extension="flac", media_type="audio/flac", codec="flac", muxer="flac", holds_cover=True),
    "mp3": OutputFormat(
        extension="mp3", media_type="audio/mpeg", codec="libmp3lame", muxer="mp3", is_lossy=True, holds_cover=True
    ),
    "ogg": OutputFormat(extension="ogg", media_type="audio/ogg", codec="libvorbis", muxer="ogg", is_lossy=True),
    # Its default search takes as much processor time as the networks, and at the default bitrate is no better for it.
    "m4a": OutputFormat(
        extension="m4a",
        media_type="audio/mp4",
        codec="aac",
        muxer="ipod",
        is_lossy=True,
        holds_cover=True,
        options=("-aac_coder", "fast"),
    ),
    # Opus knows 48 kHz and its divisors only.
    "opus": OutputFormat(
        extension="opus", media_type="audio/ogg", codec="libopus", muxer="opus", is_lossy=True, options=("-ar", "48000")
    ),
    "wma": OutputFormat(extension="wma", media_type="audio/x-ms-wma", codec="wmav2", muxer="asf", is_lossy=True),
}


def is_bitrate(text: str) -> bool:
    """Whether text is bits per second such as 192k or 192000, within what the encoders take."""
    match = _BITRATE.fullmatch(text)
    if not match:
        return False
    bps = int(match[1]) * 1000 if match[1] else int(match[2])
    return _BITRATE_RANGE_BPS[0] <= bps <= _BITRATE_RANGE_BPS[1]
