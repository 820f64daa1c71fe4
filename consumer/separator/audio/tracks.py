"""Which of a file's audio tracks is meant."""

import resource
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.ffmpeg import FFmpeg, reason_in

_MAX_TOLD = 8  # tracks that a message names
_MOST_CPU_S = 20.0  # that may be spent on finding one that can be decoded
_HEAD_BYTES = 4096  # of a WAVE file that ffmpeg writes: its header, and some samples


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFile:
    """A file, and which of its audio tracks is meant: its number, from 0, None for the one that players take."""

    path: Path
    track: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrack:
    """One audio stream by its header. number: among the audio streams, from 0, as in ffmpeg's a:0. codec: None where
    ffmpeg does not know it. sample_rate_hz, channels: 0 where the header does not tell.
    """

    number: int
    codec: str | None
    sample_rate_hz: int
    layout: str
    channels: int
    is_default: bool

    def __str__(self) -> str:
        kind = self.codec or "of an unknown codec"
        told = [kind, *([f"{self.sample_rate_hz} Hz"] if self.sample_rate_hz else []), self.layout[:40]]
        return f"{self.number} ({', '.join(filter(None, [*told, 'default' if self.is_default else '']))})"


def choose(ffmpeg: FFmpeg, path: Path, tracks: Sequence[AudioTrack], wanted: int | None) -> AudioTrack:
    """The track of that number, or else the one that ffmpeg takes by itself: of those that hold sound and can be
    decoded the one that is marked as default, of several such the one with the most channels, of these the first.

    Whether a track can be decoded is tried where there is a choice. Raises Rejected(REQUEST_INVALID) where there is no
    such track, Rejected(AUDIO_UNDECODABLE, AUDIO_EMPTY), WorkerCrashed.
    """
    if not tracks:
        raise Rejected(Code.AUDIO_UNDECODABLE, "the file holds no audio stream that can be decoded")
    if wanted is not None:
        if wanted >= len(tracks):
            raise Rejected(Code.REQUEST_INVALID, f"there is no audio track {wanted}{_told(tracks)}")
        return _checked(ffmpeg, path, tracks, tracks[wanted])
    failures: list[Rejected] = []
    begun_s = _children_cpu_s()
    for track in sorted(tracks, key=lambda track: (not track.is_default, -track.channels, track.number)):
        if failures and _children_cpu_s() - begun_s > _MOST_CPU_S:
            break
        try:
            return _checked(ffmpeg, path, tracks, track)
        except Rejected as rejected:
            failures.append(rejected)
    raise next((failure for failure in failures if failure.code is not Code.AUDIO_EMPTY), failures[0])


def _children_cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _checked(ffmpeg: FFmpeg, path: Path, tracks: Sequence[AudioTrack], track: AudioTrack) -> AudioTrack:
    """The track, with what its header does not tell. Raises Rejected(AUDIO_UNDECODABLE, AUDIO_EMPTY), WorkerCrashed."""
    if track.codec is None:
        raise Rejected(Code.AUDIO_UNDECODABLE, f"audio track {track.number} has an unknown codec{_told(tracks)}")
    if len(tracks) == 1 and track.sample_rate_hz and track.channels:
        return track
    where = ["-loglevel", "error", *ffmpeg.open_args(path), "-map", f"0:a:{track.number}", "-frames:a", "1"]
    head, complaints = _output(ffmpeg, [*where, "-c:a", "pcm_f32le", "-f", "wav", "pipe:1"])
    _, has_header, samples = head.partition(b"data")
    if has_header and len(samples) > 4:
        channels, rate_hz = struct.unpack("<HI", head[22:28])
        return replace(track, channels=track.channels or channels, sample_rate_hz=track.sample_rate_hz or rate_hz)
    what = "the file" if len(tracks) == 1 else f"audio track {track.number}"
    # Nothing is copied either of what is not known well enough to be copied.
    is_known = bool(track.sample_rate_hz and track.channels)
    if is_known and not _output(ffmpeg, [*where, "-c", "copy", "-f", "data", "pipe:1"])[0]:
        raise Rejected(Code.AUDIO_EMPTY, f"{what} holds no samples{_told(tracks)}")
    raise Rejected(Code.AUDIO_UNDECODABLE, f"{what} can't be decoded ({reason_in(complaints)}){_told(tracks)}")


def _told(tracks: Sequence[AudioTrack]) -> str:
    """What the file has, for people."""
    if len(tracks) == 1:
        return f"; the only one is {tracks[0]}"
    more = f" and {len(tracks) - _MAX_TOLD} more" if len(tracks) > _MAX_TOLD else ""
    return f"; the file's are {', '.join(map(str, tracks[:_MAX_TOLD]))}{more}"


def _output(ffmpeg: FFmpeg, args: Sequence[str]) -> tuple[bytes, list[str]]:
    """The first bytes of what ffmpeg writes, and its complaints."""
    running = ffmpeg.start(args, reads=True)
    try:
        assert running.process.stdout
        with running.process.stdout as output:
            head = b""
            while len(head) < _HEAD_BYTES and (part := output.read(_HEAD_BYTES - len(head))):
                head += part
        running.wait()
    finally:
        running.stop()
    return head, running.stderr_lines
