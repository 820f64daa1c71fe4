"""What lies in a file behind the end that its own headers tell, and so is not heard: another file, most often.

Players stop there too. Nothing is left out without a word, though: where files of these kinds were put one behind the
other, or a header tells of less than there is, that is said.
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from consumer.separator.audio.caf_packets import caf_chunks
from consumer.separator.audio.trailing_tags import end_of_sound
from consumer.separator.audio.wave_header import W64_RIFF, id3_size, w64_chunks

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_BEGINS = (
    *(b"RIFF", b"RIFX", b"RF64", b"BW64", W64_RIFF, b"FORM", b"caff", b".snd", b"TTA1", b"TTA2", b"FLV\1", b"MAC "),
    *(_ASF, b"fLaC", b"OggS", b"wvpk", b"#!AMR", b"\x1a\x45\xdf\xa3"),
)
_FindEnd = Callable[[BinaryIO, int], int | None]  # from where the file begins, behind tags
_LOOK_BYTES = 1 << 16  # for what is no zero
_FEW_BYTES = 1 << 12  # that are no sound to speak of
_MOST_CHUNKS, _MOST_PARTS = 1000, 1 << 20
_MOST_TABLE_BYTES = 1 << 24  # of frames of a second each
_EDIT_COUNT_BYTES = 4  # of a CAF file, in front of its samples
_UNKNOWN = 0xFFFFFFFF
_FLV_TAGS = (8, 9, 18)  # of sound, of pictures, and of names
_TTA_HEAD_BYTES = 22


def left_behind(path: Path, container: str) -> str | None:
    """A sentence about what of this file, of the container that ffmpeg calls so, is not heard; None where that is
    nothing, or where its headers don't tell where it ends.
    """
    find = _ENDS.get(container)
    if find is None:
        return None
    size = end_of_sound(path)
    with path.open("rb") as file:
        begin = id3_size(file.read(10))
        end = find(file, begin)
        if end is None or end >= size:
            return None
        file.seek(end)
        rest = file.read(min(_LOOK_BYTES, size - end))
    found = rest.lstrip(b"\0")
    found = found[_tag_size(found) :]
    told = f"the {size - end} bytes from byte {end} on are left out"
    if found.startswith(_BEGINS) or rest[4:8] == b"ftyp":
        return f"another file follows the one that is heard: {told}"
    return f"the headers tell of an end before that of the file: {told}" if len(found) >= _FEW_BYTES else None


def _tag_size(begin: bytes) -> int:
    """Of a tag that the first file has at its end; 0 where there is none."""
    if begin.startswith(b"APETAGEX") and len(begin) >= 16:
        return 32 + int.from_bytes(begin[12:16], "little")
    return id3_size(begin[:10])


def _chunks(sound: bytes) -> _FindEnd:
    """Of RIFF and IFF files: behind their last chunk, as long as the one that holds the sound is whole."""
    return lambda file, begin: _behind_chunks(file, begin, sound)


def _behind_chunks(file: BinaryIO, begin: int, sound: bytes) -> int | None:
    size = file.seek(0, os.SEEK_END)
    file.seek(begin)
    order: Literal["big", "little"] = "big" if file.read(4) in (b"FORM", b"RIFX") else "little"
    place, padding, has_sound, long_bytes = begin + 12, 0, False, 0
    for _ in range(_MOST_CHUNKS):
        name, chunk_bytes = _chunk(file, place, order)
        if padding and not _is_name(name):  # some writers leave it out
            place -= 1
            name, chunk_bytes = _chunk(file, place, order)
        if not _is_name(name):
            return place + padding if has_sound else None
        if name == b"ds64":
            long_bytes = int.from_bytes(file.read(16)[8:], "little")
        if name == sound:
            if has_sound:
                return place  # a second one, which nobody plays
            chunk_bytes = long_bytes if chunk_bytes == _UNKNOWN and long_bytes else chunk_bytes
            if not 8 < chunk_bytes <= size - place - 8:
                return None
            has_sound = True
        padding = chunk_bytes % 2
        place += 8 + chunk_bytes + padding
    return None


def _chunk(file: BinaryIO, place: int, order: Literal["big", "little"]) -> tuple[bytes, int]:
    head = _read(file, place, 8)
    return head[:4], int.from_bytes(head[4:], order)


def _read(file: BinaryIO, place: int, count: int) -> bytes:
    """Nothing where a size that lies leads behind the end, and farther than a file system can look."""
    if place > os.fstat(file.fileno()).st_size:
        return b""
    file.seek(place)
    return file.read(count)


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and not name.startswith(_BEGINS) and all(0x20 <= letter < 0x7F for letter in name)


def _wave64(file: BinaryIO, begin: int) -> int | None:
    """By its own size, if that holds its samples."""
    file.seek(begin + 16)
    whole = int.from_bytes(file.read(8), "little")
    for name, chunk_bytes in w64_chunks(file):
        if name == b"data":
            return whole + -whole % 8 if file.tell() + chunk_bytes <= whole else None
    return None


def _au(file: BinaryIO, begin: int) -> int | None:
    file.seek(begin + 4)
    first, claimed = struct.unpack(">II", file.read(8).ljust(8, b"\0"))
    return begin + first + claimed if claimed else None


def _caf(file: BinaryIO, begin: int) -> int | None:
    end = begin + 8
    for name, place, chunk_bytes in caf_chunks(file, begin):
        if not _is_name(name):
            break
        if chunk_bytes < 0 or (name == b"data" and chunk_bytes <= _EDIT_COUNT_BYTES):
            return None  # the sound goes on to the end of the file
        end = place + chunk_bytes
    return end


def _tta(file: BinaryIO, begin: int) -> int | None:
    """By its table of frames' sizes (https://tausoft.org/wiki/True_Audio_Codec_Format)."""
    file.seek(begin)
    head = file.read(_TTA_HEAD_BYTES)
    if len(head) < _TTA_HEAD_BYTES:
        return None
    rate_hz, samples = struct.unpack_from("<II", head, 10)
    frame = 256 * rate_hz // 245
    table_bytes = 4 * -(-samples // frame) if frame else 0
    table = file.read(table_bytes) if table_bytes < _MOST_TABLE_BYTES else b""
    if not table or len(table) < table_bytes:
        return None
    sizes = np.frombuffer(table, "<u4")
    return begin + _TTA_HEAD_BYTES + table_bytes + 4 + int(sizes.sum(dtype=np.uint64))


def _ape(file: BinaryIO, begin: int) -> int | None:
    """By the descriptor that there is from version 3.98 on: the sizes of all that follows it, and its own."""
    file.seek(begin)
    head = file.read(36)
    if len(head) < 36 or int.from_bytes(head[4:6], "little") < 3980:
        return None
    *parts, high, behind = struct.unpack_from("<7I", head, 8)
    return begin + int(sum(parts)) + (int(high) << 32) + int(behind)


def _flv(file: BinaryIO, begin: int) -> int | None:
    """Behind the last of its tags, each of which has its size in front and behind."""
    file.seek(begin + 5)
    place = begin + int.from_bytes(file.read(4), "big") + 4
    for _ in range(_MOST_PARTS):
        head = _read(file, place, 4)
        if len(head) < 4 or head[0] & 0x1F not in _FLV_TAGS:
            return place
        place += 15 + int.from_bytes(head[1:], "big")
    return None


def _asf(file: BinaryIO, begin: int) -> int | None:
    """Behind its objects: the header, the sound, and the indexes to it."""
    place = begin
    for _ in range(_MOST_CHUNKS):
        head = _read(file, place, 24)
        object_bytes = int.from_bytes(head[16:], "little")
        if len(head) < 24 or not 24 <= object_bytes < 1 << 62 or (place > begin and head.startswith(_ASF)):
            return place
        place += object_bytes
    return None


def _movie(file: BinaryIO, begin: int) -> int | None:
    """Where a second file begins behind one that is not in fragments: these may tell several times what they hold."""
    place, seen = begin, set[bytes]()
    for _ in range(_MOST_CHUNKS):
        head = _read(file, place, 16)
        box_bytes, name = int.from_bytes(head[:4], "big"), head[4:8]
        if box_bytes == 1:
            box_bytes = int.from_bytes(head[8:], "big")
        if b"moof" in (name, *seen) or box_bytes < 8:
            return None
        if name == b"ftyp" and {b"moov", b"mdat"} <= seen:
            return place
        seen.add(name)
        place += box_bytes
    return None


_ENDS: dict[str, _FindEnd] = {
    "wav": _chunks(b"data"), "aiff": _chunks(b"SSND"), "w64": _wave64, "au": _au, "caf": _caf, "tta": _tta, "ape": _ape,
    "flv": _flv, "asf": _asf, "mov": _movie,
}  # fmt: skip
