"""What is in an audio file, from one run of ffmpeg: no ffprobe is needed.

Tags come from its ffmetadata, a format for programs. What streams there are it only prints, for people, among words of
the file's own that may imitate it: so each genuine line of a stream is known by a word that no file can guess, which
ffmpeg is told to separate the parts of its line with.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.container_clock import ContainerClock
from consumer.separator.audio.ffmpeg import FFmpeg, FFmpegProcess, reason_in
from consumer.separator.audio.mixdown import channel_count
from consumer.separator.audio.tags import CoverStream, Tags, parse_sections, tags_of
from consumer.separator.audio.tracks import AudioTrack, choose
from consumer.separator.audio.wave_header import wave_codec

_MAX_TAGS_BYTES = 32 << 20  # what comes behind them is not read
_INPUT = re.compile(r"Input #0, (\S+), from '(?:subfile,,start,\d+,end,\d+,,:)?file:")
_DURATION = re.compile(r" +Duration: (?:(\d+):(\d\d):(\d\d(?:\.\d+)?)|N/A),(?: start: (-?\d+\.\d+))?")
_PROGRAMME = re.compile(r"  Program \d+ [^:]*$")
_STREAM = re.compile(r"(?: +Stream #0:(\d+))?.*: (Audio|Video): (\w+)", re.ASCII)
_SOUND = re.compile(r"(?:(\d+) Hz, )?([^,]+)(, \w+)?", re.ASCII)
_FRONT = re.compile(r" +comment +: Cover \(front\)")
_SOUGHT = rb"^Input #0, |^ +Duration: |^  Program \d|^ +comment +: Cover \(front\)|"
_GUESSED_DURATION = re.compile(r"(\[.*\] )?Estimating duration")
_UNKNOWN_PICTURE = re.compile(r"(\[.*\] )?unknown (attached )?(picture mimetype|cover type)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a file's headers say, and which of its audio tracks is meant.

    format: ffmpeg's first name for its container. track: the number among its audio tracks, from 0. layout: as ffmpeg
    names that of the track's channels. duration_s: the file's, None where the headers have none; they may lie. tags: of
    the file and of that track. codec: the decoder to be used, None for ffmpeg's own choice. clock: when its tracks
    begin. video_codecs: of its pictures, moving or not.
    """

    format: str
    track: int
    channels: int
    layout: str
    sample_rate_hz: int
    duration_s: float | None
    tags: Tags
    codec: str | None = None
    clock: ContainerClock = field(default_factory=ContainerClock)
    video_codecs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Headers:
    """lines: what ffmpeg printed. described: of these, the ones that describe the file. mark: what streams' own lines
    hold. metadata: of the file, and of each audio stream that is known well enough, as ffmetadata.
    """

    lines: list[str]
    described: list[str]
    mark: str
    metadata: bytes


@dataclass(slots=True, kw_only=True)
class _Stream:
    """What ffmpeg's line of an audio or video stream says. told: what stands behind the codec."""

    kind: str
    codec: str
    told: str
    is_front: bool = False

    @property
    def is_picture(self) -> bool:
        """Whether it is one that stands still, such as a cover."""
        return self.kind == "Video" and "(attached pic)" in self.told


def probe(ffmpeg: FFmpeg, path: Path, track: int | None = None) -> Probe:
    """Read a file's headers. track: the number of the audio track that is wanted, None for the one that players take.

    Raises Rejected(AUDIO_EMPTY, AUDIO_UNDECODABLE, FORMAT_NOT_ALLOWED), Rejected(REQUEST_INVALID) where there is no
    such track, WorkerCrashed.
    """
    if path.stat().st_size == 0:
        raise Rejected(Code.AUDIO_EMPTY, "the object is empty")
    headers = _read(ffmpeg, path)
    name = _first(_INPUT, headers.described)
    if name is None:
        if any("not on whitelist" in line and "Codec (" not in line for line in headers.lines):
            raise Rejected(Code.FORMAT_NOT_ALLOWED, "the file's container is not one that is opened here")
        raise Rejected(Code.AUDIO_UNDECODABLE, f"ffmpeg does not recognise the file: {reason_in(headers.lines)}")
    streams = _streams(headers)
    audio = [stream for stream in streams.values() if stream.kind == "Audio"]
    chosen = choose(ffmpeg, path, [_track(number, stream) for number, stream in enumerate(audio)], track)
    clock = _clock(headers, streams)
    found = Probe(
        format=name[1].partition(",")[0],
        track=chosen.number,
        channels=chosen.channels,
        layout=chosen.layout,
        sample_rate_hz=chosen.sample_rate_hz,
        duration_s=clock.container_s,
        tags=_tags(headers, streams, audio[chosen.number]),
        clock=clock,
        video_codecs=frozenset(stream.codec for stream in streams.values() if stream.kind == "Video"),
    )
    if ffmpeg.raw:
        return replace(found, format=ffmpeg.raw.container)
    first = ffmpeg.section.first if ffmpeg.section else 0
    return replace(found, codec=wave_codec(path, first=first)) if found.format in ("wav", "w64") else found


def _read(ffmpeg: FFmpeg, path: Path) -> _Headers:
    mark = secrets.token_hex(4)  # short: ffmpeg has 256 bytes for what it tells of a stream
    args = ["-dump_separator", mark, *ffmpeg.open_args(path)]
    args += ["-map", "0:a:u", "-c", "copy", "-map_chapters", "-1", "-t", "0", "-f", "ffmetadata", "pipe:1"]
    running = ffmpeg.start(args, reads=True, seeks=re.compile(_SOUGHT + mark.encode()))
    try:
        metadata = _read_some(running)
        running.wait()  # an error where there is no stream to be mapped
    finally:
        running.stop()
    return _Headers(lines=running.stderr_lines, described=running.sought_lines, mark=mark, metadata=metadata)


def _read_some(running: FFmpegProcess) -> bytes:
    assert running.process.stdout
    parts, size = [], 0
    while size < _MAX_TAGS_BYTES and (part := running.process.stdout.read(1 << 20)):
        parts.append(part)
        size += len(part)
    running.process.stdout.close()  # what writes more of it ends
    return b"".join(parts)


def _first(pattern: re.Pattern[str], lines: list[str]) -> re.Match[str] | None:
    return next((match for line in lines if (match := pattern.match(line))), None)


def _streams(headers: _Headers) -> dict[int, _Stream]:
    """The audio and video streams by their numbers, in the file's order; a programme may name one again."""
    found: dict[int, _Stream] = {}
    latest: _Stream | None = None
    index = -1
    for line in headers.described:
        head, is_stream, told = line.partition(headers.mark)
        if is_stream and (stream := _STREAM.match(head)):
            index = int(stream[1] or index + 1)  # a language that holds a line end hides the number
            latest = found[index] = _Stream(kind=stream[2], codec=stream[3], told=told)
        elif latest and _FRONT.match(line):
            latest.is_front = True
    return {index: found[index] for index in sorted(found)}


def _clock(headers: _Headers, streams: Mapping[int, _Stream]) -> ContainerClock:
    # The last one before the streams, since what imitates it can only be among the tags before it.
    before = takewhile(lambda line: not (line.startswith(" ") and headers.mark in line), headers.described)
    told = _first(_DURATION, [*before][::-1])
    return ContainerClock(
        container_s=int(told[1]) * 3600 + int(told[2]) * 60 + float(told[3]) if told and told[1] else None,
        start_s=float(told[4]) if told and told[4] else None,
        tracks=sum(1 for stream in streams.values() if not stream.is_picture),
        programmes=sum(1 for line in headers.described if _PROGRAMME.match(line)),
        is_guessed=any(_GUESSED_DURATION.match(line) for line in headers.lines),
    )


def _track(number: int, stream: _Stream) -> AudioTrack:
    sound = _SOUND.match(stream.told)
    layout = sound[2].strip() if sound else ""
    return AudioTrack(
        number=number,
        codec=None if stream.codec == "none" else stream.codec,
        sample_rate_hz=int(sound[1] or 0) if sound else 0,
        layout=layout,
        channels=channel_count(layout) or 0,
        is_default="(default)" in stream.told,
    )


def _has_section(stream: _Stream) -> bool:
    """Whether ffmpeg takes the audio stream for usable: it knows codec, rate and sample format."""
    sound = _SOUND.match(stream.told)
    return stream.codec != "none" and sound is not None and all(sound.groups())


def _tags(headers: _Headers, streams: Mapping[int, _Stream], chosen: _Stream) -> Tags:
    file, *sections = parse_sections(headers.metadata)
    owners = [stream for stream in streams.values() if stream.kind == "Audio" and _has_section(stream)]
    own = next((section for stream, section in zip(owners, sections, strict=False) if stream is chosen), {})
    covers = [
        CoverStream(index=index, codec=stream.codec, is_front=stream.is_front)
        for index, stream in streams.items()
        if stream.is_picture
    ]
    return Tags(
        texts=tags_of(file, own if len(sections) == len(owners) else {}),
        covers=tuple(sorted(covers, key=lambda cover: not cover.is_front)),
        has_unknown_picture=any(_UNKNOWN_PICTURE.match(line) for line in headers.lines),
    )
