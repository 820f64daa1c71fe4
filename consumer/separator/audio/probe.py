"""What is in an audio file, parsed from what ffmpeg itself prints of it: no ffprobe is needed."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.container_clock import ContainerClock, parse_clock, parse_video_codecs
from consumer.separator.audio.ffmpeg import FFmpeg, reason_in
from consumer.separator.audio.tags import Tags, parse_tags
from consumer.separator.audio.wave_header import wave_codec

# Names of `ffmpeg -layouts` that do not say their number of channels; others look like 5.1(side) or "32 channels".
_NAMED_LAYOUTS = {
    "mono": 1, "stereo": 2, "downmix": 2, "binaural": 2, "quad": 4, "quad(side)": 4, "hexagonal": 6, "octagonal": 8,
    "cube": 8, "hexadecagonal": 16,
}  # fmt: skip
_INPUT = re.compile(r"Input #0, (\S+), from ")
_DURATION = re.compile(r"\s+Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?),")
_AUDIO = re.compile(r"\s+Stream #0:\d+.*?: Audio: .*?, (\d+) Hz, ([^,]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a file's headers say.

    format: ffmpeg's first name for its container. has_layout: whether it names its channels. duration_s: None where the
    headers have none; they may lie. tags: of the file, or of its first audio stream. codec: the decoder to be used,
    None for ffmpeg's own choice. clock: when its tracks begin. video_codecs: of its pictures.
    """

    format: str
    channels: int
    has_layout: bool
    sample_rate_hz: int
    duration_s: float | None
    tags: Tags
    codec: str | None = None
    clock: ContainerClock = field(default_factory=ContainerClock)
    video_codecs: frozenset[str] = frozenset()


def probe(ffmpeg: FFmpeg, path: Path) -> Probe:
    """Read a file's headers. Raises Rejected(AUDIO_EMPTY, AUDIO_UNDECODABLE, FORMAT_NOT_ALLOWED), WorkerCrashed."""
    if path.stat().st_size == 0:
        raise Rejected(Code.AUDIO_EMPTY, "the object is empty")
    running = ffmpeg.start(ffmpeg.open_args(path))
    try:
        running.wait()  # always an error: no output was asked for
    finally:
        running.stop()
    found = _parse(running.stderr_lines)
    if ffmpeg.raw:
        return replace(found, format=ffmpeg.raw.container)
    first = ffmpeg.section.first if ffmpeg.section else 0
    return replace(found, codec=wave_codec(path, first=first)) if found.format in ("wav", "w64") else found


def _parse(lines: list[str]) -> Probe:
    name = _first(_INPUT, lines)
    if name is None:
        if any("not on whitelist" in line for line in lines):
            raise Rejected(Code.FORMAT_NOT_ALLOWED, "the file's container is not one that is opened here")
        raise Rejected(Code.AUDIO_UNDECODABLE, f"ffmpeg does not recognise the file: {reason_in(lines)}")
    audio = _first(_AUDIO, lines)
    if audio is None:
        raise Rejected(Code.AUDIO_UNDECODABLE, "the file holds no audio stream that can be decoded")
    duration = _first(_DURATION, lines)
    layout = audio[2].strip()
    return Probe(
        format=name[1].partition(",")[0],
        channels=_channels(layout),
        has_layout=not re.fullmatch(r"\d+ channels", layout),
        sample_rate_hz=int(audio[1]),
        duration_s=int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3]) if duration else None,
        tags=parse_tags(lines),
        clock=parse_clock(lines),
        video_codecs=parse_video_codecs(lines),
    )


def _first(pattern: re.Pattern[str], lines: list[str]) -> re.Match[str] | None:
    return next((match for line in lines if (match := pattern.match(line))), None)


def _channels(layout: str) -> int:
    """Number of channels of a layout such as stereo, 5.1(side), 7.1.4 or '3 channels (FL+FR+LFE)'."""
    if layout in _NAMED_LAYOUTS:
        return _NAMED_LAYOUTS[layout]
    if counted := re.match(r"(\d+) channels", layout):
        return int(counted[1])
    if dotted := re.match(r"\d+(\.\d+)+", layout):
        return sum(map(int, dotted[0].split(".")))
    if ambisonic := re.match(r"ambisonic (\d+)", layout):
        return (int(ambisonic[1]) + 1) ** 2
    raise Rejected(Code.AUDIO_UNDECODABLE, f"unknown channel layout {layout[:40]!r}")
