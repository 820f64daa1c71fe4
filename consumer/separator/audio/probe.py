"""What is in an audio file, from one run of ffmpeg: no ffprobe is needed.

Tags come from its ffmetadata, a format for programs. What streams there are it only prints, for people, among words of
the file's own that may imitate it: so each genuine line of a stream is known by a word that no file can guess, which
ffmpeg is told to separate the parts of its line with. Of the other lines the one of the file's format holds its path,
which no sender knows, and the one of its length is believed only where no other can have been meant.
"""

import os
import re
import secrets
import signal
import string
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from consumer.core.errors import Code, Rejected
from consumer.core.limits import LONGEST_SPAN_S, MOST_CHANNELS, MOST_RATE_HZ
from consumer.separator.audio.container_clock import ContainerClock
from consumer.separator.audio.ffmpeg import FFmpeg, FFmpegProcess, reason_in
from consumer.separator.audio.mixdown import channel_count
from consumer.separator.audio.other_kinds import other_kind
from consumer.separator.audio.tags import CoverStream, Tags, parse_sections, tags_of
from consumer.separator.audio.tracks import AudioTrack, choose
from consumer.separator.audio.wave_blocks import check_blocks
from consumer.separator.audio.wave_contents import framed_codec
from consumer.separator.audio.wave_header import wave_codec

_MAX_TAGS_BYTES = 32 << 20  # what comes behind them is not read
_CPU_S = 10  # of one look at the headers, which takes a hundredth of a second; some tags are made to take hours
_INPUT = re.compile(r"Input #0, (\w+)")
_MOST_URL_BYTES = 900  # of a line that ffmpeg cuts at a thousand
_DURATION = re.compile(
    r" +Duration: (?:(\d{2,6}):(\d\d):(\d\d(?:\.\d{1,6})?)|N/A),(?: start: (-?\d{1,10}\.\d{1,6}))?", re.ASCII
)
# What stands behind a file's length, and may hold words of its own: chapters, programmes, and streams' languages.
_BEHIND = re.compile(r" +(Chapter|Program |Stream #)")
_PROGRAMME = re.compile(r"  Program \d+ [^:]*$")
_STREAM = re.compile(r"(?: +Stream #0:(\d+))?.*: (Audio|Video): (\w+)", re.ASCII)
_SOUND = re.compile(r"(?:(\d{1,10}) Hz, )?([^,]+)(, \w+)?", re.ASCII)
_FRONT = re.compile(r" +comment +: Cover \(front\)")
_SOUGHT = rb"^Input #0, |^ +Duration: |^ +Chapter|^ +Stream #|^  Program \d|^ +comment +: Cover \(front\)|"
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

    @property
    def claimed_s(self) -> float | None:
        """How long the headers say that the sound is; None where they don't, or not of the sound alone."""
        claimed_s, start_s = self.clock.duration_s, self.clock.start_s
        if self.format == "ogg" and claimed_s and start_s and claimed_s > start_s > 0:
            return claimed_s - start_s  # ffmpeg counts from 0 there, and a recording of a broadcast begins later
        return claimed_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Headers:
    """lines: what ffmpeg printed. described: of these, the ones that describe the file. mark: what streams' own lines
    hold. url: what ffmpeg was to open. metadata: of the file, and of each audio stream that is known well enough, as
    ffmetadata.
    """

    lines: list[str]
    described: list[str]
    mark: str
    url: str
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
    ffmpeg = replace(ffmpeg, cpu_s=min(ffmpeg.cpu_s, _CPU_S))
    headers = _read(ffmpeg, path)
    name = _format(headers)
    if name is None:
        if kind := other_kind(path):
            raise Rejected(Code.FORMAT_NOT_ALLOWED, f"files of the kind {kind} are not opened here")
        if any("not on whitelist" in line and "Codec (" not in line for line in headers.lines):
            raise Rejected(Code.FORMAT_NOT_ALLOWED, "the file's container is not one that is opened here")
        raise Rejected(Code.AUDIO_UNDECODABLE, f"ffmpeg does not recognise the file: {reason_in(headers.lines)}")
    streams = _streams(headers)
    audio = [stream for stream in streams.values() if stream.kind == "Audio"]
    chosen = choose(ffmpeg, path, [_track(number, stream) for number, stream in enumerate(audio)], track)
    _check(chosen)
    clock = _clock(headers, streams)
    found = Probe(
        format=name,
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
    if found.format not in ("wav", "w64"):
        return found
    check_blocks(path, first=first)
    return replace(found, codec=wave_codec(path, first=first) or framed_codec(path, first=first))


def _read(ffmpeg: FFmpeg, path: Path) -> _Headers:
    # Short, since ffmpeg has 256 bytes for what it tells of a stream; and more than a file can hold guesses at it.
    mark = "".join(secrets.choice(string.ascii_letters) for _ in range(12))
    opened = ffmpeg.open_args(path)
    args = ["-dump_separator", mark, *opened]
    args += ["-map", "0:a:u", "-c", "copy", "-map_chapters", "-1", "-t", "0", "-f", "ffmetadata", "pipe:1"]
    running = ffmpeg.start(args, reads=True, seeks=re.compile(_SOUGHT + mark.encode()))
    try:
        metadata = _read_some(running)
        code = running.wait()  # an error where there is no stream to be mapped
    finally:
        running.stop()
    if code == -signal.SIGKILL:  # by its own limit, or it would be a crash
        raise Rejected(
            Code.AUDIO_UNDECODABLE, f"its headers and tags take more than {ffmpeg.cpu_s} s of a processor to be read"
        )
    return _Headers(
        lines=running.stderr_lines,
        described=running.sought_lines,
        mark=mark,
        url=opened[-1],
        metadata=metadata,
    )


def _read_some(running: FFmpegProcess) -> bytes:
    assert running.process.stdout
    parts, size = [], 0
    while size < _MAX_TAGS_BYTES and (part := running.process.stdout.read(1 << 20)):
        parts.append(part)
        size += len(part)
    running.process.stdout.close()  # what writes more of it ends
    return b"".join(parts)


def _format(headers: _Headers) -> str | None:
    """ffmpeg's first name of the container; None where it did not know it. What it printed before may be the file's."""
    for line in headers.described:
        if match := _INPUT.match(line):
            _, _, told = line.partition(", from '")
            if told.startswith(_as_printed(headers.url)):
                return match[1]
    return None


def _as_printed(url: str) -> str:
    """What of it surely stands on one of ffmpeg's lines, which has question marks for controls."""
    data = re.sub(rb"[\x00-\x07\x0e-\x1f]", b"?", os.fsencode(url).split(b"\n")[0])[:_MOST_URL_BYTES]
    return data.decode("utf-8", "replace").rstrip("\ufffd \t\r\v\f")


def _check(track: AudioTrack) -> None:
    """Raises Rejected(AUDIO_UNDECODABLE) where the track has what no sound has."""
    if not (1 <= track.channels <= MOST_CHANNELS and 1 <= track.sample_rate_hz <= MOST_RATE_HZ):
        told = f"{track.channels} channels and {track.sample_rate_hz} Hz"
        raise Rejected(
            Code.AUDIO_UNDECODABLE, f"it claims {told}; up to {MOST_CHANNELS} and {MOST_RATE_HZ} Hz are decoded"
        )


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
    told = _duration(headers)
    container_s = int(told[1]) * 3600 + int(told[2]) * 60 + float(told[3]) if told and told[1] else None
    return ContainerClock(
        container_s=container_s if container_s is None or container_s <= LONGEST_SPAN_S else None,
        start_s=float(told[4]) if told and told[4] else None,
        tracks=sum(1 for stream in streams.values() if not stream.is_picture),
        programmes=sum(1 for line in headers.described if _PROGRAMME.match(line)),
        is_guessed=any(_GUESSED_DURATION.match(line) for line in headers.lines),
    )


def _duration(headers: _Headers) -> re.Match[str] | None:
    """The line that tells how long the file is: the last one before its streams, since its tags come before it. Where
    something comes in between whose words may imitate it, the only one; None where there are several.
    """
    before = [*takewhile(lambda line: not (line.startswith(" ") and headers.mark in line), headers.described)]
    found = [match for line in before if (match := _DURATION.match(line))]
    if len(found) > 1 and any(map(_BEHIND.match, before)):
        return None
    return found[-1] if found else None


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
