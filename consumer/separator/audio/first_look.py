"""The first look at a file: what is in it, with reasons that ffmpeg does not know, and where its frames lie."""

from dataclasses import replace
from pathlib import Path

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.adts_links import adts_sections
from consumer.separator.audio.ffmpeg import FFmpeg, Section
from consumer.separator.audio.flac_header import frames_of_flac
from consumer.separator.audio.free_format import is_of_free_format
from consumer.separator.audio.movie_samples import check_samples
from consumer.separator.audio.mpeg_frames import section_in_wave, sections_of_mp3
from consumer.separator.audio.probe import Probe, probe
from consumer.separator.audio.tracks import AudioFile
from consumer.separator.audio.wave_contents import framed_codec, refuse_unknown

# What ffmpeg says of a WAVE file's format; the other one where its ends are big ones.
_UNKNOWN_WAVE = ("unknown codec", "WAVEFORMATEX support for RIFX")


def look_at(ffmpeg: FFmpeg, source: AudioFile) -> Probe:
    """As `probe`, but with the reason where it is not ffmpeg that knows it."""
    found = _look_at(ffmpeg, source)
    if found.format == "mov":
        check_samples(source.path, found.track)
    return found


def _look_at(ffmpeg: FFmpeg, source: AudioFile) -> Probe:
    try:
        return probe(ffmpeg, source.path, source.track)
    except Rejected as refusal:
        if refusal.code is Code.AUDIO_UNDECODABLE:
            if ffmpeg.section is None and (frames := frames_of_flac(source.path)):
                return probe(replace(ffmpeg, section=frames[0]), source.path, source.track)
            framed_codec(source.path)  # which has a reason of its own
            if is_of_free_format(source.path):
                told = "it is MPEG audio of free format, which there is no decoder for"
                raise Rejected(Code.AUDIO_UNDECODABLE, told) from None
            if any(words in refusal.message for words in _UNKNOWN_WAVE):
                refuse_unknown(source.path)
        raise


def sections_of_frames(ffmpeg: FFmpeg, path: Path, container: str) -> tuple[Section, ...]:
    """Where frames lie that ffmpeg would not play to the sample by what stands in front; none where it does."""
    if container == "flac":
        return frames_of_flac(path)
    if container == "mp3":
        return sections_of_mp3(path)
    if container == "wav" and "mp3" in ffmpeg.allowed_formats:
        return section_in_wave(path)
    return adts_sections(path) if container == "aac" else ()
