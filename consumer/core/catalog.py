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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitrates:
    """What a lossy format can be asked for, in bits per second, for two channels at 44.1 or 48 kHz.

    steps_bps: the only values that there are, None where all from lowest_bps to highest_bps are taken as they are.
    """

    lowest_bps: int
    highest_bps: int
    steps_bps: tuple[int, ...] | None = None

    def __contains__(self, bps: int) -> bool:
        return bps in self.steps_bps if self.steps_bps else self.lowest_bps <= bps <= self.highest_bps

    def __str__(self) -> str:
        """For people: 'from 45k to 500k', or the steps."""
        if self.steps_bps:
            return "one of " + ", ".join(f"{bps // 1000}k" for bps in self.steps_bps)
        return f"from {self.lowest_bps // 1000}k to {self.highest_bps // 1000}k"


_LOUD = 100.0  # 40 dB over full scale: no music

# MPEG-1 layer III's own table (ISO/IEC 11172-3); LAME takes the nearest of it in silence.
_MP3_STEPS_BPS = tuple(1000 * kbps for kbps in (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320))


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
    is_plain: bool = False
    """Whether a file is its samples behind a header, which are written without ffmpeg."""
    bitrates: Bitrates | None = None
    """What may be asked for; None where it has no meaning, since nothing is lost."""
    frame_bytes: int = 8
    """The most that a sample of both channels takes, where nothing is lost."""
    fewest_samples: int = 1
    """What a file of this format has to hold, a channel."""
    highest_sample: float | None = None
    """What samples are cut to, since the encoder fails at louder ones; None where it takes all."""
    holds_cover: bool = False
    """Whether the source's cover picture is put into it."""
    options: tuple[str, ...] = ()
    """Further output options of ffmpeg."""

    @property
    def is_lossy(self) -> bool:
        """Whether a bitrate has a meaning."""
        return self.bitrates is not None

    def why_not_bitrate(self, text: str) -> str | None:
        """Why this is no bitrate for this format; None where it is one."""
        bps = _parse_bitrate(text)
        if bps is None:
            return "must be bits per second such as 192k"
        if self.bitrates is not None and bps not in self.bitrates:
            return f"must be {self.bitrates} for {self.extension}"
        return None

    def bytes_per_second(self, bitrate: str | None, rate_hz: int) -> float:
        """The most that a second of two channels takes; of what is lost there is a reckoning in bits, not a promise."""
        if not self.is_lossy:
            return float(self.frame_bytes * rate_hz)
        return 2 * (_parse_bitrate(bitrate or DEFAULT_BITRATE) or 0) / 8

    def encoder_args(self, bitrate: str | None) -> list[str]:
        """ffmpeg's output options; `bitrate` is bits per second such as 192k, None for the default of lossy formats."""
        rate = ["-b:a", bitrate or DEFAULT_BITRATE] if self.is_lossy else []
        return ["-c:a", self.codec, *rate, *self.options, "-f", self.muxer]


def _wav(codec: str, frame_bytes: int) -> OutputFormat:
    # Past 4 GiB a WAV file has to be an RF64 file, or its length is a lie.
    return OutputFormat(
        extension="wav",
        media_type="audio/wav",
        codec=codec,
        muxer="wav",
        is_plain=True,
        frame_bytes=frame_bytes,
        options=("-rf64", "auto"),
    )


FORMATS: dict[str, OutputFormat] = {
    "wav": _wav("pcm_s16le", 4),
    "wav-s24": _wav("pcm_s24le", 6),
    "wav-f32": _wav("pcm_f32le", 8),
    "flac": OutputFormat(
        extension="flac", media_type="audio/flac", codec="flac", muxer="flac", holds_cover=True, fewest_samples=16
    ),
    "mp3": OutputFormat(
        extension="mp3",
        media_type="audio/mpeg",
        codec="libmp3lame",
        muxer="mp3",
        holds_cover=True,
        bitrates=Bitrates(lowest_bps=32_000, highest_bps=320_000, steps_bps=_MP3_STEPS_BPS),
        highest_sample=_LOUD,  # LAME breaks at a thousand times as much
    ),
    # libvorbis has no modes beyond these.
    "ogg": OutputFormat(
        extension="ogg",
        media_type="audio/ogg",
        codec="libvorbis",
        muxer="ogg",
        bitrates=Bitrates(lowest_bps=45_000, highest_bps=500_000),
    ),
    # Above 384k the encoder falls short of what it is asked for, below 12k it takes more.
    # Its default search takes as much processor time as the networks, and at the default bitrate is no better for it.
    "m4a": OutputFormat(
        extension="m4a",
        media_type="audio/mp4",
        codec="aac",
        muxer="ipod",
        bitrates=Bitrates(lowest_bps=12_000, highest_bps=384_000),
        highest_sample=_LOUD,  # at a thousand times as much its search for a quantiser never ends
        holds_cover=True,
        options=("-aac_coder", "fast"),
    ),
    # Opus knows 48 kHz and its divisors only, and bitrates from 6k to 510k (RFC 6716, 2.1.1).
    "opus": OutputFormat(
        extension="opus",
        media_type="audio/ogg",
        codec="libopus",
        muxer="opus",
        bitrates=Bitrates(lowest_bps=6_000, highest_bps=510_000),
        # Its resampler gives nothing at all of fewer than 24 samples; the other half of a millisecond is silence.
        options=("-af", "apad=whole_len=32", "-ar", "48000"),
        highest_sample=_LOUD,  # libopus is silent at ten times as much
    ),
}

# Formats of Spleeter's that are not offered, and why.
_NOT_OFFERED = {"wma": "its files can't hold where a stem begins and ends, to the sample"}


def why_not_format(name: str) -> str | None:
    """Why stems can't be had in this format; None where they can."""
    if name in FORMATS:
        return None
    why = f"; not {name}: {_NOT_OFFERED[name]}" if name in _NOT_OFFERED else ""
    return f"must be one of {', '.join(FORMATS)}{why}"


def _parse_bitrate(text: str) -> int | None:
    """Bits per second of a text such as 192k or 192000; None where it is none."""
    match = _BITRATE.fullmatch(text)
    if not match:
        return None
    return int(match[1]) * 1000 if match[1] else int(match[2])
