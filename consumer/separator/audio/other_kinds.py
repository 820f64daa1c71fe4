"""What a file is that is not opened here, by its first bytes: a refusal that names it tells what is to be converted."""

import re
from pathlib import Path

from consumer.separator.audio.wave_header import id3_size

_LOOK_BYTES = 64
# What ffmpeg may read, but is no usual container of sound, and what it can't; never what a damaged song may be.
_KINDS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(pattern, re.DOTALL))
    for name, pattern in (
        ("TAK", rb"tBaK"),
        ("Musepack", rb"MP\+|MPCK"),
        ("DSD (DSF)", rb"DSD \x1c\0\0\0"),
        ("DSD (DSDIFF)", rb"FRM8.{8}DSD "),
        ("WSD", rb"1bit"),
        ("QOA", rb"qoaf"),
        ("ATRAC (OpenMG)", rb"(?:ea3\x03.{6}|EA3[\x01-\x03])"),
        ("ATRAC (AEA)", rb"\x00\x08\x00\x00.{16}"),
        ("Shorten", rb"ajkg"),
        ("OptimFROG", rb"OFR "),
        ("LA", rb"LA0\d"),
        ("Bonk", rb"\0?BONK"),
        ("RealAudio", rb"\.ra\xfd"),
        ("RealMedia", rb"\.RMF"),
        ("Creative Voice", rb"Creative Voice File\x1a"),
        ("IFF 8SVX", rb"FORM....(?:8|16)SVX"),
        ("xWMA", rb"RIFF....XWMA"),
        ("NIST SPHERE", rb"NIST_1A\n"),
        ("IRCAM", rb"\x64\xa3[\x01-\x04]\x00|\x00[\x01-\x04]\xa3\x64"),
        ("Portable Voice", rb"PVF[1-9]\n"),
        ("SoX's own", rb"\.SoX|XoS\."),
        ("Audible", rb".{4}\x57\x90\x75\x36"),
        ("TwinVQ", rb"TWIN9\d"),
        ("DSS", rb"[\x02\x03]dss"),
        ("AC-4", rb"\xac[\x40\x41]"),
        ("TrueHD", rb".{4}\xf8\x72\x6f[\xba\xbb]|\xf8\x72\x6f[\xba\xbb]"),
        ("DTS", rb"\x7f\xfe\x80\x01|\xfe\x7f\x01\x80|\x1f\xff\xe8\x00|\xff\x1f\x00\xe8"),
        ("MIDI", rb"MThd\0\0\0\x06|RIFF....RMID"),
        ("tracker module", rb"IMPM|Extended Module: |.{44}SCRM"),
        ("SID", rb"[PR]SID\0"),
        ("Windows Television", rb"\xb7\xd8\x00\x20\x37\x49\xda\x11"),
        ("PNG (a picture)", rb"\x89PNG\r\n"),
        ("JPEG (a picture)", rb"\xff\xd8\xff"),
        ("GIF (a picture)", rb"GIF8[79]a"),
        ("WebP (a picture)", rb"RIFF....WEBP"),
        ("TIFF (a picture)", rb"II\*\0|MM\0\*"),
        ("PDF", rb"%PDF-"),
        ("archive", rb"PK\x03\x04|PK\x05\x06|\x1f\x8b\x08|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|\xfd7zXZ\0|\x28\xb5\x2f\xfd"),
    )
)  # fmt: skip


def other_kind(path: Path) -> str | None:
    """What the file certainly is, for people; None where its first bytes don't tell."""
    with path.open("rb") as file:
        begin = file.read(_LOOK_BYTES)
        if tag_bytes := id3_size(begin):
            file.seek(tag_bytes)
            begin = file.read(_LOOK_BYTES)
    return next((name for name, pattern in _KINDS if pattern.match(begin)), None)
