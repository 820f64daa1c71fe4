"""Files that are two things at once, or another thing than their name says."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial

from harness.hostile.decoy import Decoy
from harness.hostile.specimen import HostileFile, song

_HTML = b"<!DOCTYPE html><html><script>fetch('http://127.0.0.1/')</script></html>"
_HEADS = {
    "elf": b"\x7fELF\2\1\1" + bytes(57), "pe": b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0",
    "script": b"#!/bin/sh\necho no song >&2\n", "html": _HTML, "pdf": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n",
    "png": b"\x89PNG\r\n\x1a\n", "gif": b"GIF89a\1\0\1\0\0\0\0;", "java": b"\xca\xfe\xba\xbe\0\0\0\x41",
    "gzip": b"\x1f\x8b\x08", "zip": b"PK\3\4", "rar": b"Rar!\x1a\7\0", "7z": b"7z\xbc\xaf\x27\x1c",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>", "pickle": b"\x80\4cposix\nsystem\n(S'true'\ntR.",
    "npy": b"\x93NUMPY\1\0v\0{'descr': '|O', 'shape': (1,)}", "ps": b"%!PS\n", "avro": b"Obj\1",
    "utf16": "\ufeffno song".encode("utf-16"), "hdf5": b"\x89HDF\r\n\x1a\n", "sqlite": b"SQLite format 3\0",
}  # fmt: skip


def files() -> Iterator[HostileFile]:
    for name, head in _HEADS.items():
        for where in ("alone", "in-front", "behind"):
            yield HostileFile(name=f"polyglots/{name}-{where}.mp3", make=partial(_beside, head, where))
    for first in ("wav", "flac", "ogg", "m4a"):
        for second in ("mp3", "wav", "mkv"):
            yield HostileFile(name=f"polyglots/{first}-then-{second}.{first}", make=partial(_both, first, second))
    yield HostileFile(name="polyglots/zip-bomb.mp3", make=_zip_bomb)
    yield HostileFile(name="polyglots/gzip-bomb.wav", make=lambda _: zlib.compress(bytes(50 << 20), wbits=31))
    yield HostileFile(name="polyglots/zip-around-a-song.wav", make=_zipped)


def _beside(head: bytes, where: str, _: Decoy) -> bytes:
    match where:
        case "in-front":
            return head + song("mp3")
        case "behind":
            return song("wav") + head
        case _:
            return head + bytes(5000)


def _both(first: str, second: str, _: Decoy) -> bytes:
    return song(first) + song(second)


def _zip_bomb(_: Decoy) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(16):
            archive.writestr(f"../../{number}.wav", bytes(4 << 20))
    return into.getvalue()


def _zipped(decoy: Decoy) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr(str(decoy.song), song("wav"))
    return into.getvalue()
