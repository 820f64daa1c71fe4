"""Decodes a local file to stereo float32 at the model's rate, through an ffmpeg pipe, as Spleeter would."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from consumer.core.errors import Code, Rejected
from consumer.core.model import AudioFacts
from consumer.separator.audio.caf_packets import whole_caf
from consumer.separator.audio.ffmpeg import FFmpeg, FFmpegProcess, Section
from consumer.separator.audio.first_look import look_at, sections_of_frames
from consumer.separator.audio.left_behind import left_behind
from consumer.separator.audio.links import find_links
from consumer.separator.audio.lying_header import without_lies
from consumer.separator.audio.mixdown import stereo_filters
from consumer.separator.audio.movie_edits import Edit, edits_of
from consumer.separator.audio.opus_length import whole_opus
from consumer.separator.audio.playback import Playback
from consumer.separator.audio.probe import Probe, probe
from consumer.separator.audio.short_sound import resampled
from consumer.separator.audio.speex_length import whole_speex
from consumer.separator.audio.timed_samples import TimedSamples
from consumer.separator.audio.timeline import Timeline
from consumer.separator.audio.tracks import AudioFile
from consumer.separator.audio.trailing_tags import end_of_sound
from consumer.separator.audio.trimming import trim, trimmed
from consumer.separator.audio.vorbis_length import whole_vorbis
from consumer.separator.audio.wma_start import whole_wma
from consumer.separator.dsp.spectral import Samples

_LOUDEST = 1e6  # 120 dB over full scale: no music, but its square is still a number
# What is checked against checksums of its own, and left out where they differ, as the formats' own decoders do.
_CHECKED = ("flac", "wv", "ape", "tta")
_TAGGED_BEHIND = ("flac", "wv", "mp3")  # and taken for sound there
# Recordings of broadcasts, whose times may begin anew anywhere: ffmpeg and players take a longer jump for that.
_SPLICED, _LONGEST_GAP_S = ("mpegts", "mpeg"), 10.0
# AVI tells no times but the first: what ffmpeg reckons from the number of chunks is silence where there is none.
_LONGEST_GAPS_S = dict.fromkeys(_SPLICED, _LONGEST_GAP_S) | {"avi": 0.0}
_FEW_SAMPLES, _FEW_OF_ITS_OWN = 64, 1024
# A file may end so much before what its headers tell: encoders' delays are counted by some.
_NEARLY_ALL, _SHORTER_S = 0.995, 0.1


def _whole_ogg(args: list[str], path: Path, section: Section | None) -> list[str]:
    return whole_opus(whole_speex(whole_vorbis(args, path, section), path, section), path, section)


# Where the sound of some containers begins and ends to the sample, which ffmpeg gets wrong.
_WHOLE = {"ogg": _whole_ogg, "caf": whole_caf, "asf": whole_wma, "wav": whole_wma, "avi": whole_wma}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """How a file is decoded. rate_hz: of what comes out. sections: its links, None for all. found: in the first.
    edits: what is played of the one link, where the file has a list of that.
    """

    ffmpeg: FFmpeg
    path: Path
    rate_hz: int
    sections: tuple[Section | None, ...]
    found: Probe
    edits: tuple[Edit, ...] = ()

    @property
    def links(self) -> int:
        """How many parts are decoded one behind the other."""
        return len(self.edits) or len(self.sections)

    def open_link(self, number: int, position: int) -> TimedSamples:
        """Start to decode the link of this number, which begins `position` samples behind the file's beginning."""
        if self.edits:
            return self._open_edit(number, position)
        ffmpeg = replace(self.ffmpeg, section=self.sections[number])
        found = self.found if number == 0 else probe(ffmpeg, self.path)
        if found.format in _TAGGED_BEHIND and number == len(self.sections) - 1:
            ffmpeg = replace(ffmpeg, section=self._without_tags(ffmpeg.section))
        return self._start(ffmpeg, found, position)

    def _without_tags(self, section: Section | None) -> Section | None:
        """The last section, without the tags at its end."""
        end = end_of_sound(self.path)
        whole = section or Section(first=0, end=self.path.stat().st_size)
        return replace(whole, end=end) if whole.first < end < whole.end else section

    def _open_edit(self, number: int, position: int) -> TimedSamples:
        clock, found = self.found.clock, self.found
        is_told = clock.is_shared and clock.start_s is not None
        since_s = Fraction(clock.start_s or 0) if is_told else self.edits[0].at_s
        begins = position if number else 0 if is_told else None
        args = ["-ignore_editlist", "1", "-flags2:a", "+skip_manual"]
        args += [*self.ffmpeg.open_args(self.path, codec=found.codec), "-copyts", "-loglevel", "error"]
        filters = f"{self.edits[number].filters(since_s=since_s)},{stereo_filters(found.layout, found.channels)}"
        args += ["-map", f"0:a:{found.track}", "-af", filters, "-ar", str(self.rate_hz)]
        timeline = Timeline(rate_hz=self.rate_hz, begins=begins)
        return TimedSamples(self.ffmpeg, args, timeline=timeline, besides=found.video_codecs)

    def _start(self, ffmpeg: FFmpeg, found: Probe, position: int) -> TimedSamples:
        args = ["-err_detect:a", "crccheck+explode"] if found.format in _CHECKED else []
        # Times as they are in the file: corrected by the start of one track, they would not tell of the others.
        args += [*ffmpeg.open_args(self.path, codec=found.codec), "-copyts", "-loglevel", "error"]
        args += ["-map", f"0:a:{found.track}", "-af", stereo_filters(found.layout, found.channels)]
        args += ["-ar", str(self.rate_hz)]
        if whole := _WHOLE.get(found.format):
            args = whole(args, self.path, ffmpeg.section)
        if (section := ffmpeg.section) and (section.front or section.count is not None):
            args = trimmed(args, trim(first=section.front, count=section.count, rate_hz=found.sample_rate_hz))
        continues = ffmpeg.section is not None and ffmpeg.section.continues
        longest_s = _LONGEST_GAPS_S.get(found.format)
        timeline = Timeline(
            rate_hz=self.rate_hz,
            begins=position if continues else found.clock.begins_at(self.rate_hz),
            longest=None if longest_s is None else round(longest_s * self.rate_hz),
        )
        return TimedSamples(
            ffmpeg,
            args,
            timeline=timeline,
            continues=continues,
            besides=found.video_codecs,
        )


class Decoder:
    """One file being decoded. Not thread-safe; use it as a context manager.

    Its clock counts the samples that it gives, at rate_hz. It begins where a player's does: at the first track's start
    where there are several tracks, else at the first sound. What is missing in the file is silence.

    file: a path, or with it the audio track that is meant. rate_hz: of the samples that `read` gives. start_s,
    duration_s: the span to give, by that clock, None for all. max_s: longer audio is refused, as soon as that is known.
    Opening raises Rejected(AUDIO_EMPTY, AUDIO_UNDECODABLE, FORMAT_NOT_ALLOWED), Rejected(REQUEST_INVALID) where there
    is no such track, WorkerCrashed.
    """

    def __init__(
        self,
        ffmpeg: FFmpeg,
        file: Path | AudioFile,
        *,
        rate_hz: int,
        start_s: float | None = None,
        duration_s: float | None = None,
        max_s: float,
    ) -> None:
        self.samples = 0
        source = file if isinstance(file, AudioFile) else AudioFile(path=file)
        path = source.path
        ffmpeg = without_lies(ffmpeg, path)
        self._rate_hz = rate_hz
        self._start_s, self._duration_s = start_s, duration_s
        self._max_s = max_s
        sections = find_links(path) or (ffmpeg.section,)
        found = look_at(replace(ffmpeg, section=sections[0]), source)
        if sections == (None,) and (frames := sections_of_frames(ffmpeg, path, found.format)):
            sections = frames
            inner = probe(replace(ffmpeg, section=frames[0]), path, source.track)
            # What is read as bare frames has another name for ffmpeg, and no length.
            known = replace(inner, format=found.format) if frames[0].is_frames else inner
            found = replace(known, tags=found.tags)
        # What the headers say of the length of a chain is one link's.
        self.probe: Probe = found if len(sections) == 1 else replace(found, duration_s=None)
        edits = edits_of(path, found.track, found.sample_rate_hz) if found.format == "mov" else ()
        self._source = _Source(ffmpeg=ffmpeg, path=path, rate_hz=rate_hz, sections=sections, found=found, edits=edits)
        self._left_behind = left_behind(path, found.format) if len(sections) == 1 else None
        self._playback = self._play()
        self._has_ended = False

    def _play(self) -> Playback:
        """A new pass over the file."""
        return Playback(self._source.open_link, links=self._source.links)

    @property
    def _running(self) -> FFmpegProcess:
        return self._playback.process

    def read(self, count: int) -> Samples:
        """The next `count` samples, float32 (count, 2); fewer only at the end. Values that are no number become 0,
        and what could become none on the way is cut to _LOUDEST.

        Raises Rejected(AUDIO_UNDECODABLE, AUDIO_EMPTY, OFFSET_PAST_END, AUDIO_TOO_LONG), WorkerCrashed.
        """
        if not self._playback.position and self._start_s:
            self._playback.skip(self._in_samples(self._start_s))
        left = count if self._duration_s is None else self._in_samples(self._duration_s) - self.samples
        block = np.empty((min(count, left), 2), np.float32)
        filled = self._playback.read_into(block)
        self._has_ended = filled < len(block)
        block = block[:filled]
        if self._has_ended and self._playback.position < _FEW_SAMPLES and not self._start_s:
            block = self._without_resampler(block)[:left]
        self.samples += len(block)
        if len(block) < count:
            self._end()
        if self.samples > self._max_s * self._rate_hz:
            raise too_long(self._max_s)
        # Neither holds of NaN, which is caught so too.
        if not (block.max(initial=0.0) <= _LOUDEST and block.min(initial=0.0) >= -_LOUDEST):
            block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0).clip(-_LOUDEST, _LOUDEST)
        return block

    def _without_resampler(self, block: Samples) -> Samples:
        """All of a file that gives few samples or none: `block`, or what gets lost in ffmpeg's resampler."""
        own_hz = self.probe.sample_rate_hz
        if own_hz in (0, self._rate_hz) or self._source.links > 1 or self.samples:
            return block
        playback = Playback(replace(self._source, rate_hz=own_hz).open_link)
        try:
            heard = np.empty((_FEW_OF_ITS_OWN, 2), np.float32)
            count = playback.read_into(heard)
        finally:
            playback.stop()
        if not 0 < count < len(heard):
            return block
        return resampled(heard[:count], from_hz=own_hz, to_hz=self._rate_hz)

    def _in_samples(self, seconds: float) -> int:
        return round(seconds * self._rate_hz)

    def _end(self) -> None:
        damage = self._playback.complaint
        if self.samples == 0:
            if self._start_s and self._playback.position:
                raise Rejected(Code.OFFSET_PAST_END, f"the audio ends before start_s = {self._start_s:g}")
            if damage:
                raise Rejected(Code.AUDIO_UNDECODABLE, f"nothing of the audio can be decoded: {damage}")
            raise Rejected(Code.AUDIO_EMPTY, "the file holds no samples")
        if damage and 2 * self._playback.silence > self.samples:
            raise Rejected(Code.AUDIO_UNDECODABLE, f"more than half of the audio can't be decoded: {damage}")

    def is_longer_than(self, limit_s: float) -> bool:
        """Whether more than limit_s can really be decoded: headers lie. Decodes as much in a second process."""
        other = self._play()
        try:
            other.skip(self._in_samples(self._start_s or 0.0))
            limit = self._in_samples(limit_s)
            return other.skip(limit + 1) > limit
        finally:
            other.stop()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of the samples given so far is not as it should be, a sentence each."""
        damage, silence_s = self._playback.complaint, self._playback.silence / self._rate_hz
        told = [f"the decoder complained, and went on: {damage}"] if damage else []
        if self._playback.gap_at is not None:
            first_s = self._playback.gap_at / self._rate_hz
            told.append(f"{silence_s:.3f} s are missing in the file, the first at {first_s:.3f} s: they are silence")
        claimed_s, real_s = self.probe.claimed_s, self._playback.position / self._rate_hz
        is_told = self._has_ended and self._source.links == 1 and self.probe.format not in _SPLICED
        if is_told and claimed_s and claimed_s * _NEARLY_ALL - _SHORTER_S > real_s:
            told.append(f"the file's headers tell of {claimed_s:.2f} s, and it ends after {real_s:.2f} s")
        if self._left_behind:
            told.append(self._left_behind)
        return tuple(told)

    @property
    def facts(self) -> AudioFacts:
        """What was found; `duration_s` counts the samples decoded so far."""
        return AudioFacts(
            format=self.probe.format,
            duration_s=self.samples / self._rate_hz,
            channels=self.probe.channels,
            sample_rate_hz=self.probe.sample_rate_hz,
            track=self.probe.track,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._playback.stop()


def too_long(max_s: float) -> Rejected:
    """What a file is refused with that is longer than max_s seconds."""
    return Rejected(Code.AUDIO_TOO_LONG, f"the audio is longer than MAX_AUDIO_SECONDS = {max_s:g}")
