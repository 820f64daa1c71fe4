"""Which samples of a CAF file with packets are its sound: its packet table (Core Audio Format, `pakt`).

ffmpeg takes the frames that remain behind the sound off the last packet, and so off ALAC's last packet, which ends with
the sound by itself, a second time.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.trimming import trim, trimmed

_MOST_CHUNKS, _MOST_RATE_HZ = 1000, 1 << 22
_DESCRIPTION = struct.Struct(">d4sIIIII")  # rate, codec, flags, bytes and frames of a packet, channels, bits
_TABLE = struct.Struct(">qqii")  # packets, frames of sound, frames before and behind it


def whole_caf(args: list[str], path: Path, section: Section | None) -> list[str]:
    """ffmpeg's options to decode this file, or this part of it, such that what its table calls sound is given; as they
    were where it has no packets. Where the table contradicts itself its end is not believed.
    """
    with path.open("rb") as file:
        chunks: dict[bytes, tuple[int, int]] = {}
        for name, place, size in caf_chunks(file, section.first if section else 0):
            chunks.setdefault(name, (place, size))
        described = _unpacked(file, _DESCRIPTION, chunks.get(b"desc"))
        table = _unpacked(file, _TABLE, chunks.get(b"pakt"))
    if not described or not table:
        return args
    rate, _, _, packet_bytes, packet_frames, _, _ = described
    packets, sound, before, behind = table
    if packet_bytes and packet_frames:
        packets = max(0, chunks.get(b"data", (0, 0))[1] - 4) // packet_bytes
    if not 1 <= rate <= _MOST_RATE_HZ or before < 0 or packet_frames == 1:
        return args
    is_whole = sound > 0 and behind >= 0
    if packet_frames:
        is_whole &= -(-(before + sound + behind) // packet_frames) == packets
    return trimmed(args, trim(first=before, count=sound if is_whole else None, rate_hz=round(rate)))


def caf_chunks(file: BinaryIO, first: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Name, place of the content, and size of each chunk of the CAF file that begins here; a size of -1 is one that the
    writer did not know.
    """
    place, end = first + 8, file.seek(0, os.SEEK_END)
    for _ in range(_MOST_CHUNKS):
        if place > end:  # where no file system looks
            return
        file.seek(place)
        head = file.read(12)
        if len(head) < 12:
            return
        size = struct.unpack(">q", head[4:])[0]
        yield head[:4], place + 12, size
        if not 0 <= size < 1 << 62:
            return
        place += 12 + size


def _unpacked(file: BinaryIO, form: struct.Struct, chunk: tuple[int, int] | None) -> tuple[Any, ...] | None:
    if chunk is None or chunk[1] < form.size:
        return None
    file.seek(chunk[0])
    content = file.read(form.size)
    return form.unpack(content) if len(content) == form.size else None
