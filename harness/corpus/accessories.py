"""Covers of every kind and tags in every encoding: the sound has to be heard, the title read."""

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from mutagen.id3 import APIC, ID3, TALB, TIT2, USLT, Encoding
from mutagen.mp4 import MP4, MP4Cover

from harness.corpus.encoding import encode
from harness.corpus.pcm import integers
from harness.corpus.riff import Layout, chunk, fmt, riff
from harness.corpus.signal import Signal
from harness.corpus.specimen import LOSSY, Specimen, Truth
from harness.files import ffmpeg

_SIGNAL = Signal()
_MP3 = Truth(precision=LOSSY)
_PICTURES = ("jpg", "png", "webp", "gif", "bmp")
_ENCODINGS = {"latin1": Encoding.LATIN1, "utf16": Encoding.UTF16, "utf8": Encoding.UTF8}
_HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"


@cache
def picture(extension: str) -> bytes:
    """A small picture of that kind."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"picture.{extension}"
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32:rate=1", "-frames:v", "1", f"file:{path}")
        return path.read_bytes()


@cache
def _mp3() -> bytes:
    with TemporaryDirectory() as folder:
        return encode(Path(folder) / "song.mp3", _SIGNAL, "-b:a", "192k", "-id3v2_version", "0").read_bytes()


@cache
def _m4a() -> bytes:
    with TemporaryDirectory() as folder:
        return encode(Path(folder) / "song.m4a", _SIGNAL, "-b:a", "192k").read_bytes()


@cache
def _flac() -> bytes:
    with TemporaryDirectory() as folder:
        return encode(Path(folder) / "song.flac", _SIGNAL).read_bytes()


def specimens() -> Iterator[Specimen]:
    yield from _covers()
    yield from _titles()


def _covers() -> Iterator[Specimen]:
    kinds: dict[str, Callable[[], list[tuple[str, bytes]]]] = {
        **{name: partial(_picture_of, name) for name in _PICTURES},
        "wrong-mime": lambda: [("image/png", picture("jpg"))],
        "no-mime": lambda: [("", picture("png"))],
        "link": lambda: [("-->", b"https://example.org/cover.jpg")],
        "html": lambda: [("image/jpeg", _HTML)],
        "cut": lambda: [("image/png", picture("png")[:60])],
        "empty": lambda: [("image/jpeg", b"")],
        "several": lambda: [("image/jpeg", picture("jpg")), ("image/png", picture("png")), ("image/png", _HTML)],
    }
    for name, pictures in kinds.items():
        for extension, make, truth in (("mp3", _covered_mp3, _MP3), ("flac", _covered_flac, Truth())):
            yield Specimen(
                name=f"accessories/cover-{name}.{extension}",
                make=partial(make, pictures),
                holds=truth,
                other="libsndfile" if extension == "flac" else "mpg123",
            )
    for name in ("jpg", "png", "gif"):
        yield Specimen(name=f"accessories/cover-{name}.m4a", make=partial(_covered_m4a, name), holds=_MP3, other="pyav")


def _picture_of(name: str) -> list[tuple[str, bytes]]:
    return [(f"image/{'jpeg' if name == 'jpg' else name}", picture(name))]


def _covered_mp3(pictures: Callable[[], list[tuple[str, bytes]]], path: Path) -> None:
    path.write_bytes(_mp3())
    tags = ID3()
    for number, (mime, content) in enumerate(pictures()):
        tags.add(APIC(encoding=Encoding.LATIN1, mime=mime, type=3 + number, desc=f"Album cover {number}", data=content))
    tags.save(path)


def _covered_flac(pictures: Callable[[], list[tuple[str, bytes]]], path: Path) -> None:
    blocks = b""
    for mime, content in pictures():
        named = mime.encode()
        body = struct.pack(">II", 3, len(named)) + named + struct.pack(">IIIII", 0, 32, 32, 24, 0)
        body += struct.pack(">I", len(content)) + content
        blocks += bytes([6]) + struct.pack(">I", len(body))[1:] + body
    audio = _flac()
    path.write_bytes(audio[:42] + blocks + audio[42:])  # behind the signature and STREAMINFO


def _covered_m4a(name: str, path: Path) -> None:
    path.write_bytes(_m4a())
    song = MP4(path)
    song["covr"] = [MP4Cover(picture(name), MP4Cover.FORMAT_JPEG)]  # whatever it is
    song.save()


def _titles() -> Iterator[Specimen]:
    texts = {
        "latin": "Café", "greek": "Αθήνα", "emoji": "🎵 song", "long": "é" * 600,
        "two-lines": "One\nTwo", "colon": "a : b",
    }  # fmt: skip
    for name, text in texts.items():
        for kind, encoding in _ENCODINGS.items():
            if kind != "latin1" or max(text) <= "\xff":
                yield _titled(f"{name}-{kind}.mp3", partial(_id3, [TIT2(encoding=encoding, text=text)]), text)
        yield _titled(f"{name}.flac", partial(_comments, [f"TITLE={text}".encode()]), text, Truth(), "flac")
        yield _titled(f"{name}.m4a", partial(_atoms, text), text, other="pyav")
    yield _titled("utf16be.mp3", partial(_id3, [TIT2(encoding=Encoding.UTF16BE, text="Αθήνα")]), "Αθήνα")
    lyrics = USLT(encoding=Encoding.UTF8, lang="eng", desc="", text="title : Not this\n" * 900)
    yield _titled("lyrics.mp3", partial(_id3, [lyrics, TIT2(encoding=Encoding.UTF8, text="This")]), "This")
    yield _titled("album-only.mp3", partial(_id3, [TALB(encoding=Encoding.UTF8, text="An album")]), None)
    yield _titled("not-utf-8.flac", partial(_comments, [b"TITLE=Caf\xe9"]), None, Truth(), "flac")
    yield _titled("lower-case.flac", partial(_comments, [b"title=A name"]), "A name", Truth(), "flac")
    yield _titled("no-equals.flac", partial(_comments, [b"nonsense", b"TITLE=A name"]), "A name", Truth(), "flac")
    yield _titled(
        "many.flac",
        partial(_comments, [b"X%d=y" % i for i in range(900)] + [b"TITLE=A name"]),
        "A name",
        Truth(),
        "flac",
    )
    yield _titled("info.wav", partial(_info, b"A name\0"), "A name", Truth(), "libsndfile")
    yield _titled("info-cp1252.wav", partial(_info, b"Caf\xe9\0"), None, Truth(), "libsndfile")
    yield _titled("id3.wav", _id3_in_wave, None, Truth(), "libsndfile")


def _titled(
    name: str, make: Callable[[Path], object], title: str | None, truth: Truth = _MP3, other: str = "mpg123"
) -> Specimen:  # fmt: skip
    return Specimen(name=f"accessories/title-{name}", make=make, holds=truth, other=other, title=title)


def _id3(frames: Sequence[object], path: Path) -> None:
    path.write_bytes(_mp3())
    tags = ID3()
    for frame in frames:
        tags.add(frame)
    tags.save(path)


def _atoms(text: str, path: Path) -> None:
    path.write_bytes(_m4a())
    song = MP4(path)
    song["\xa9nam"] = [text]
    song.save()


def _comments(comments: Sequence[bytes], path: Path) -> None:
    """A block of comments as they are, in place of the encoder's own."""
    body = struct.pack("<I", 2) + b"us" + struct.pack("<I", len(comments))
    body += b"".join(struct.pack("<I", len(one)) + one for one in comments)
    audio = bytearray(_flac())
    audio[4] &= 0x7F  # STREAMINFO is not the last block
    rest = 42
    while True:  # the encoder's own blocks go
        is_last, size = audio[rest] & 0x80, int.from_bytes(audio[rest + 1 : rest + 4], "big")
        rest += 4 + size
        if is_last:
            break
    path.write_bytes(audio[:42] + bytes([0x84]) + struct.pack(">I", len(body))[1:] + body + audio[rest:])


def _info(name: bytes, path: Path) -> None:
    layout = Layout(fmt=fmt(1, 2, 44100, 16), before=[(b"LIST", b"INFO" + chunk(b"INAM", name))])
    path.write_bytes(riff(layout, integers(_SIGNAL.samples(), 16)))


def _id3_in_wave(path: Path) -> None:
    tag = b"TIT2\0\0\0\7\0\0\0A name"
    layout = Layout(fmt=fmt(1, 2, 44100, 16), after=[(b"id3 ", b"ID3\3\0\0\0\0\0" + bytes([len(tag)]) + tag)])
    path.write_bytes(riff(layout, integers(_SIGNAL.samples(), 16)))
