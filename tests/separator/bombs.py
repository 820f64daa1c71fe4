"""Small files whose tags keep ffmpeg busy for minutes: it looks for each among all that came before."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mutagen import asf as untyped_asf
from mutagen.flac import FLAC
from mutagen.mp4 import MP4, MP4FreeForm
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis

from tests.separator.spoofs import tone

ASF: Any = untyped_asf

KEYS = 60_000


def keys(count: int) -> list[str]:
    return [f"K{number:x}" for number in range(count)]


def id3(count: int) -> bytes:
    """An ID3v2.4 tag of so many TXXX frames."""
    frames = b"".join(b"TXXX" + _syncsafe(len(key) + 4) + b"\0\0\3" + key.encode() + b"\0v\0" for key in keys(count))
    return b"ID3\4\0\0" + _syncsafe(len(frames)) + frames


def _syncsafe(size: int) -> bytes:
    return bytes(size >> shift & 127 for shift in (21, 14, 7, 0))


def mp3(folder: Path, count: int) -> Path:
    path = tone(folder / "song.mp3", "-id3v2_version", "0")
    path.write_bytes(id3(count) + path.read_bytes())
    return path


def mp3_in_the_middle(folder: Path, count: int) -> Path:
    """Behind some sound, where a decoder meets it."""
    path = tone(folder / "song.mp3", "-id3v2_version", "0")
    sound = path.read_bytes()
    path.write_bytes(sound + id3(count) + sound)
    return path


def aiff(folder: Path, count: int) -> Path:
    path = tone(folder / "song.aiff")
    tag = id3(count)
    data = path.read_bytes()
    data = data[:12] + b"ID3 " + struct.pack(">I", len(tag)) + tag + bytes(len(tag) % 2) + data[12:]
    path.write_bytes(data[:4] + struct.pack(">I", len(data) - 8) + data[8:])
    return path


def wav(folder: Path, count: int) -> Path:
    path = tone(folder / "song.wav")
    tag = id3(count)
    data = path.read_bytes()
    data = data[:12] + b"ID3 " + struct.pack("<I", len(tag)) + tag + bytes(len(tag) % 2) + data[12:]
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    return path


def ape(folder: Path, count: int) -> Path:
    """Behind WavPack, as large as ffmpeg takes it."""
    path = tone(folder / "song.wv")
    items = b"".join(struct.pack("<II", 1, 0) + key.encode() + b"\0v" for key in keys(count))
    footer = b"APETAGEX" + struct.pack("<IIII", 2000, len(items) + 32, count, 0) + bytes(8)
    path.write_bytes(path.read_bytes() + items + footer)
    return path


def comments(kind: Callable[[Path], FLAC | OggVorbis | OggOpus], name: str) -> Callable[[Path, int], Path]:
    def write(folder: Path, count: int) -> Path:
        path = tone(folder / name)
        file = kind(path)
        tags: Any = file.tags
        tags.extend((key, "v") for key in keys(count))
        file.save()
        return path

    return write


def m4a(folder: Path, count: int) -> Path:
    path = tone(folder / "song.m4a")
    file = MP4(path)
    for key in keys(count):
        file[f"----:com.apple.iTunes:{key}"] = [MP4FreeForm(b"v")]
    file.save()
    return path


def wma(folder: Path, count: int) -> Path:
    path = tone(folder / "song.wma")
    file = ASF.ASF(path)
    file.tags.extend((key, ASF.ASFUnicodeAttribute("v")) for key in keys(count))
    file.save()
    return path


def mka(folder: Path, count: int) -> Path:
    path = tone(folder / "song.mka")
    names = (element(b"\x45\xa3", key.encode()) + element(b"\x44\x87", b"v") for key in keys(count))
    simple = b"".join(element(b"\x67\xc8", name) for name in names)
    tags = element(b"\x12\x54\xc3\x67", element(b"\x73\x73", element(b"\x63\xc0", b"") + simple))
    return with_element(path, tags)


def with_element(path: Path, first: bytes) -> Path:
    """The Matroska file with this as the first element of its segment, whose length is said to be unknown."""
    data = path.read_bytes()
    body = data.index(b"\x18\x53\x80\x67") + 4 + 8
    path.write_bytes(data[: body - 8] + b"\x01" + b"\xff" * 7 + first + data[body:])
    return path


def element(name: bytes, content: bytes) -> bytes:
    return name + (1 << 56 | len(content)).to_bytes(8, "big") + content


BOMBS: dict[str, Callable[[Path, int], Path]] = {
    "mp3": mp3,
    "mp3, in the middle": mp3_in_the_middle,
    "aiff": aiff,
    "wav": wav,
    "wv, ape": ape,
    "flac": comments(FLAC, "song.flac"),
    "ogg": comments(OggVorbis, "song.ogg"),
    "opus": comments(OggOpus, "song.opus"),
    "m4a": m4a,
    "mka": mka,
    "wma": wma,
}
