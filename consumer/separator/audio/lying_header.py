"""Plain files whose headers lie about their samples in a way that ffmpeg believes: these are read without them.

Writers that stream, or were interrupted, leave sizes of 0 or of all ones. Where nothing is said, or nothing that can
be, all that lies behind the header is samples, as far as there are whole ones.
"""

import struct
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.aiff_header import read_aiff
from consumer.separator.audio.ffmpeg import FFmpeg, RawSamples, Section
from consumer.separator.audio.wave_contents import file_within
from consumer.separator.audio.wave_header import (
    G726_AT_5_BITS,
    W64_RIFF,
    WaveFormat,
    id3_size,
    is_extended_rifx,
    read_format,
    riff_chunks,
    samples_place,
    w64_chunks,
)

_UNKNOWN, _HUGE = 0xFFFFFFFF, 1 << 62
_AU_G723_40 = 26
_AU = {1: "mulaw", 2: "s8", 3: "s16be", 4: "s24be", 5: "s32be", 6: "f32be", 7: "f64be", 27: "alaw"}
_WAVE_LAWS = {6: "alaw", 7: "mulaw"}
_WAVE_KINDS = {(1, 1): "u8", (1, 2): "s16", (1, 3): "s24", (1, 4): "s32", (3, 4): "f32", (3, 8): "f64"}
_LOOK_BYTES = 1 << 16
_MAX_CHANNELS, _MAX_RATE_HZ = 64, 1 << 22


def without_lies(ffmpeg: FFmpeg, path: Path) -> FFmpeg:
    """How this file is to be opened: as it is, where its header is believed or says nothing that ffmpeg falls for.

    Raises Rejected(FORMAT_NOT_ALLOWED) where it is of a format that may not be opened, AUDIO_EMPTY where it has a
    header but no samples, AUDIO_UNDECODABLE where ffmpeg's decoder gives noise.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        magic = file.read(16)
        found = _au(file, size) if magic.startswith(b".snd") else None
        if magic.startswith((b"RF64", b"BW64")):
            found = _rf64(file, size)
        elif magic == W64_RIFF:
            found = _wave64(file, size)
        elif magic.startswith(b"FORM"):
            found = read_aiff(file, size)
        elif first := id3_size(magic):
            file.seek(first)
            if file.read(4) in (b"RIFF", b"RIFX", b"RF64", b"BW64"):  # whose demuxer looks for no tag in front
                return replace(ffmpeg, section=Section(first=first, end=size))
        elif magic.startswith((b"RIFF", b"RIFX")):
            if within := file_within(path):
                return replace(ffmpeg, section=within)
            found = _packed_24(file, size) or _extended_rifx(file)
    if found is None:
        return ffmpeg
    raw, section = found
    if raw.container not in ffmpeg.allowed_formats:
        raise Rejected(Code.FORMAT_NOT_ALLOWED, "the file's container is not one that is opened here")
    if not (1 <= raw.channels <= _MAX_CHANNELS and 1 <= raw.rate_hz <= _MAX_RATE_HZ):
        return ffmpeg  # which says what is wrong
    whole = max(0, section.end - section.first) // raw.frame_bytes * raw.frame_bytes
    if not whole:
        raise Rejected(Code.AUDIO_EMPTY, "the file holds no samples")
    return replace(ffmpeg, raw=raw, section=replace(section, end=section.first + whole))


def _au(file: BinaryIO, size: int) -> tuple[RawSamples, Section] | None:
    """ffmpeg refuses a size of 0, and plays what lies behind the samples."""
    file.seek(4)
    head = file.read(20)
    if len(head) < 20:
        return None
    first, claimed, encoding, rate_hz, channels = struct.unpack(">IIIII", head)
    if encoding == _AU_G723_40:
        raise Rejected(Code.AUDIO_UNDECODABLE, G726_AT_5_BITS)
    if encoding not in _AU or not 24 <= first <= size or claimed >= size - first > 0:
        return None
    raw = RawSamples(container="au", kind=_AU[encoding], rate_hz=rate_hz, channels=channels)
    return raw, Section(first=first, end=first + claimed if claimed else size)


def _rf64(file: BinaryIO, size: int) -> tuple[RawSamples, Section] | None:
    """Where neither the samples' own size nor the one in `ds64` is one, ffmpeg finds none or gives up."""
    form = read_format(file)
    claimed = _UNKNOWN
    for name, chunk_bytes in riff_chunks(file, 0, "<"):
        if name == b"ds64":
            claimed = struct.unpack("<Q", file.read(16)[8:].ljust(8, b"\0"))[0]
        if name == b"data":
            own = claimed if chunk_bytes == _UNKNOWN else chunk_bytes
            if 0 < own < _HUGE:
                return None
            return _wave_samples(form, "wav", Section(first=file.tell(), end=size))
    return None


def _packed_24(file: BinaryIO, size: int) -> tuple[RawSamples, Section] | None:
    """Where a plain header tells of other frames than three bytes a sample, ffmpeg reads parts of them."""
    form = read_format(file)
    if form is None or form.kind != 1 or form.is_extensible or not form.channels or -(-form.bits // 8) != 3:
        return None
    place = samples_place(file)
    if place is None or not form.frame_bytes or form.frame_bytes % (3 * form.channels) == 0:
        return None
    first, end = place
    if form.sample_bytes == 4:
        file.seek(first)
        samples = file.read(_LOOK_BYTES)
        lowest, highest = (samples[3::4], samples[::4]) if form.is_big_endian else (samples[::4], samples[3::4])
        if not any(lowest) or set(highest) <= {0x00, 0xFF}:
            return None  # in four bytes, as it says
    kind = "s24be" if form.is_big_endian else "s24le"
    raw = RawSamples(container="wav", kind=kind, rate_hz=form.rate_hz, channels=form.channels)
    return raw, Section(first=first, end=min(size, end))


def _extended_rifx(file: BinaryIO) -> tuple[RawSamples, Section] | None:
    """ffmpeg opens no file of big ends whose format is longer than the oldest one."""
    form, place = read_format(file), samples_place(file)
    if place is None or not is_extended_rifx(file):
        return None
    return _wave_samples(form, "wav", Section(first=place[0], end=place[1]))


def _wave64(file: BinaryIO, size: int) -> tuple[RawSamples, Section] | None:
    """ffmpeg refuses files whose own size, or whose samples', is too small for a head."""
    form = read_format(file)
    file.seek(16)
    whole = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0]
    for name, chunk_bytes in w64_chunks(file, lying=b"data"):
        if name == b"data":
            first = file.tell()
            is_size = 0 < chunk_bytes < _HUGE
            if is_size and whole >= 40:
                return None
            return _wave_samples(
                form, "w64", Section(first=first, end=min(size, first + chunk_bytes) if is_size else size)
            )
    return None


def _wave_samples(form: WaveFormat | None, container: str, section: Section) -> tuple[RawSamples, Section] | None:
    if form is None or not form.channels:
        return None
    kind = _WAVE_LAWS.get(form.kind) or _WAVE_KINDS.get((form.kind, int(form.sample_bytes)))
    if kind is None:
        return None
    kind += "" if kind in ("u8", *_WAVE_LAWS.values()) else "be" if form.is_big_endian else "le"
    raw = RawSamples(container=container, kind=kind, rate_hz=form.rate_hz, channels=form.channels, mask=form.mask)
    return raw, section
