"""Files with cover pictures that are not what the files say of them, made byte by byte."""

import struct
from pathlib import Path

from harness.audio import music
from harness.files import encode_file, ffmpeg

FRONT, BACK = 3, 4  # kinds of pictures, the same numbers in ID3 and FLAC


def picture(folder: Path, extension: str, *, side: int = 32) -> bytes:
    """A small picture of that kind."""
    path = folder / f"picture-{side}.{extension}"
    ffmpeg("-f", "lavfi", "-i", f"testsrc=size={side}x{side}:rate=1", "-frames:v", "1", f"file:{path}")
    return path.read_bytes()


def mp3_with(path: Path, *pictures: tuple[str, bytes, int]) -> Path:
    """An mp3 with an ID3v2.3 tag of these pictures: declared MIME type, content, kind."""
    body = b"".join(_apic(*one) for one in pictures)
    size = bytes((len(body) >> shift) & 127 for shift in (21, 14, 7, 0))
    audio = encode_file(path, music(seconds=1.0), args=("-id3v2_version", "0")).read_bytes()
    path.write_bytes(b"ID3\3\0\0" + size + body + audio)
    return path


def _apic(mime: str, content: bytes, kind: int) -> bytes:
    body = b"\0" + mime.encode() + b"\0" + bytes([kind]) + b"Album cover\0" + content
    return b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body


def flac_with(path: Path, *pictures: tuple[str, bytes, int]) -> Path:
    """A flac with PICTURE blocks behind its STREAMINFO: declared MIME type, content, kind."""
    audio = encode_file(path, music(seconds=1.0)).read_bytes()
    blocks = b"".join(_block(*one) for one in pictures)
    info = 4 + 4 + 34  # the signature, and the first block
    path.write_bytes(audio[:info] + blocks + audio[info:])
    return path


def _block(mime: str, content: bytes, kind: int) -> bytes:
    texts = struct.pack(">I", len(mime)) + mime.encode() + struct.pack(">I", 0)
    body = struct.pack(">I", kind) + texts + bytes(16) + struct.pack(">I", len(content)) + content
    return b"\6" + len(body).to_bytes(3, "big") + body
