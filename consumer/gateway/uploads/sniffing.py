"""What a file is by its first bytes, as far as that is beyond doubt.

What is certainly something else is refused at the door. What can't be told is let in: a replica opens it with ffmpeg,
which looks further than the first bytes, and has the last word.
"""

import re
from collections.abc import Collection
from http import HTTPStatus

from consumer.core.errors import Code
from consumer.gateway.problems import Problem

HEAD_BYTES = 64 << 10
"""Of a file so much is looked at."""

# Containers by ffmpeg's demuxer names, as in ALLOWED_FORMATS.
_CONTAINERS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(pattern, re.DOTALL))
    for name, pattern in (
        ("wav", rb"(RIFF|RIFX|RF64|BW64)....WAVE"),
        ("avi", rb"RIFF....AVI[ LX]"),
        ("w64", rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"),
        ("flac", rb"fLaC"),
        ("ogg", rb"OggS"),
        ("aiff", rb"FORM....AIF[FC]"),
        ("asf", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
        ("matroska", rb"\x1a\x45\xdf\xa3"),
        ("caf", rb"caff\x00\x01"),
        ("au", rb"\.snd"),
        ("wv", rb"wvpk"),
        ("ape", rb"MAC "),
        ("tta", rb"TTA[12]"),
        ("amr", rb"#!AMR"),
        ("flv", rb"FLV\x01"),
        ("mpeg", rb"\x00\x00\x01[\xba\xb3]"),
        ("mpegts", rb"(?:.{4})?\x47.{187}(?:.{4})?\x47"),
        ("mov", rb"....(moov|mdat|free|skip|wide|pnot|ftyp(?!heic|heix|hevc|mif1|msf1|avif|avis))"),
        ("aac", rb"ADIF"),
        ("ac3", rb"\x0b\x77|\x77\x0b"),  # E-AC-3 too
    )
)
_OTHERS = re.compile(
    rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|BM....\x00\x00\x00\x00|RIFF....WEBP|II\*\x00|MM\x00\*|8BPS"  # pictures
    rb"|....ftyp(heic|heix|hevc|mif1|msf1|avif|avis)"
    rb"|%PDF-|PK\x03\x04|PK\x05\x06|\x1f\x8b\x08|BZh[1-9]1AY|\xfd7zXZ\x00|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07"  # papers
    rb"|\x28\xb5\x2f\xfd|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1|SQLite format 3\x00"
    rb"|\x7fELF|MZ.{58,}PE\x00\x00|\xca\xfe\xba\xbe|[\xce\xcf]\xfa\xed\xfe|\x00asm|dex\n",  # programs
    re.DOTALL,
)
_SAME_AS = {"ac3": ("ac3", "eac3")}
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")


def check_type(head: bytes, allowed: Collection[str]) -> None:
    """Raises Problem, 415, for what is certainly none of the containers that are allowed, and for an empty file.

    head: the file's first bytes, HEAD_BYTES of them if there are as many.
    """
    if not head:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, Code.AUDIO_EMPTY, "the file is empty")
    found = container_of(head)
    if found is not None:
        if not set(_SAME_AS.get(found, (found,))) & set(allowed):
            raise _not_allowed(f"files of the type {found} are not taken here")
    elif _OTHERS.match(head) or is_text(head):
        raise _not_allowed("the file is no audio")


def container_of(head: bytes) -> str | None:
    """The container's name, None where the first bytes don't tell."""
    for name, pattern in _CONTAINERS:
        if pattern.match(head):
            return name
    return None


def is_text(head: bytes) -> bool:
    """Whether somebody could read it: text in UTF-8, or in UTF-16 with its mark."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and len(head) >= 4:
        try:
            text = head[: len(head) // 2 * 2].decode("utf-16")
        except UnicodeDecodeError:
            return False
        return bool(re.fullmatch(r"[\t\n\f\r -~]*", text))
    if _NO_TEXT.search(head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3 and len(head) == HEAD_BYTES  # cut within a character
    return True


def _not_allowed(detail: str) -> Problem:
    return Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, Code.FORMAT_NOT_ALLOWED, detail)
