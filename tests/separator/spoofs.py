"""Files whose tags, chapters and names imitate what ffmpeg prints of a file: each container, each place for words."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mutagen import id3 as untyped_id3
from mutagen.flac import FLAC
from mutagen.mp4 import MP4, MP4FreeForm
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis

from harness.files import ffmpeg

ID3 = untyped_id3

_LINES = {
    "stream": "  Stream #0:1: Audio: pcm_s16le, 99999999999 Hz, 100000000000000000000 channels, s16",
    "stream with separators": "  Stream #0:0[0x1](und): Audio: flac (default)\t192000 Hz, 7.1, s32",
    "duration": "  Duration: 99:59:59.00, start: 7.000000, bitrate: 1 kb/s",
    "two durations": "  Duration: N/A, start: 7.000000\n  Duration: 9999999999:59:59.99",
    "input": "Input #0, mpegts, from 'file:/tmp/song.ts':",
    "programmes": "  Program 1 one\n  Program 2 two\n  Duration: 77:00:00.00, start: 1.000000",
    "chapters": "  Chapters:\n    Chapter #0:0: start 0.000000, end 1.000000\n  Duration: 88:00:00.00, start: 3.000000",
    "guess": "[mp3 @ 0x55] Estimating duration from bitrate, this may be inaccurate",
    "section": "[STREAM]\ntitle=forged\n[CHAPTER]\n;FFMETADATA1",
    "controls": "\x1b[2J\x1b[31m\a\b\f\v\r  Duration: 66:00:00.00, start: 5.000000",
    "long": "x" * 1200 + "\n  Duration: 55:00:00.00, start: 5.000000",
    "many pieces": ("y" * 250 + "\r") * 4300 + "  Duration: 44:00:00.00, start: 5.000000",
}
# In a place for words: alone, behind the end of a line, and before another line of the same.
WORDS = {name: f"x\n{line}\n{line}" for name, line in _LINES.items()}


def tone(path: Path, *args: str) -> Path:
    """Two seconds of sound, with what `args` say."""
    ffmpeg("-f", "lavfi", "-i", "sine=440:d=2:r=44100", *args, "-fflags", "+bitexact", f"file:{path}")
    return path


def _by_ffmpeg(name: str, *args: str, most: int = 100_000) -> Callable[[Path, str], Path]:
    """By the file's muxer, as key and as value, of the file and of its stream; {} stands for the words."""

    def write(folder: Path, words: str) -> Path:
        words = words.replace("\0", "")[:most]
        key = words.replace("=", "-")[:900]
        tags = ("-metadata", f"{key}=v", "-metadata", f"title={words}", "-metadata:s:a", f"title={words}")
        return tone(folder / name, *(arg.replace("{}", words) for arg in args), *tags)

    return write


def mp3_keys(folder: Path, words: str) -> Path:
    path = tone(folder / "song.mp3")
    tags = ID3.ID3()
    for number in range(3):
        tags.add(ID3.TXXX(encoding=3, desc=f"{words}{number}", text=words))
    tags.add(ID3.TIT2(encoding=3, text=words))
    tags.add(ID3.COMM(encoding=1, lang="eng", desc=words[:200], text=words))
    tags.add(ID3.PRIV(owner=words, data=words.encode()))
    tags.save(path, v1=0)
    return path


def mp3_chapter_keys(folder: Path, words: str) -> Path:
    path = tone(folder / "song.mp3")
    tags = ID3.ID3()
    inner = [ID3.TXXX(encoding=3, desc=words, text="v")]
    tags.add(ID3.CHAP(element_id="a", start_time=1, end_time=999, sub_frames=inner))
    tags.save(path, v1=0)
    return path


def aiff_keys(folder: Path, words: str) -> Path:
    path = tone(folder / "song.aiff")
    tags = ID3.ID3()
    tags.add(ID3.TXXX(encoding=3, desc=words, text=words))
    tags.save(folder / "tag")
    tag = (folder / "tag").read_bytes()
    data = path.read_bytes() + b"ID3 " + struct.pack(">I", len(tag)) + tag + bytes(len(tag) % 2)
    path.write_bytes(data[:4] + struct.pack(">I", len(data) - 8) + data[8:])
    return path


def wav_info(folder: Path, words: str) -> Path:
    path = tone(folder / "song.wav")
    text = words.encode() + b"\0"
    info = b"INFO"
    for name in (b"INAM", b"\n  D", b"ICMT"):
        info += name + struct.pack("<I", len(text)) + text + bytes(len(text) % 2)
    body = path.read_bytes()[12:] + b"LIST" + struct.pack("<I", len(info)) + info
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body)
    return path


def ape_keys(folder: Path, words: str) -> Path:
    """Behind WavPack; ffmpeg takes a key of any bytes but zeros, up to its own length for them."""
    path = tone(folder / "song.wv")
    items = b"".join(
        struct.pack("<II", len(value), 0) + key + b"\0" + value
        for key, value in ((words.encode()[:900], b"v"), (b"title", words.encode()))
    )
    footer = b"APETAGEX" + struct.pack("<IIII", 2000, len(items) + 32, 2, 0) + bytes(8)
    path.write_bytes(path.read_bytes() + items + footer)
    return path


def comments(kind: Callable[[Path], FLAC | OggVorbis | OggOpus], name: str) -> Callable[[Path, str], Path]:
    """Vorbis comments, whose names this library would only write as it should."""

    def write(folder: Path, words: str) -> Path:
        path = tone(folder / name)
        file = kind(path)
        tags: Any = file.tags
        tags.extend([("title", words), (words.replace("=", "-"), words)])
        tags.validate = lambda: None
        file.save()
        return path

    return write


def m4a_names(folder: Path, words: str) -> Path:
    path = tone(folder / "song.m4a", "-metadata:s:a", f"handler_name={words[:200]}")
    file = MP4(path)
    file["\xa9nam"] = words
    name = words[:900].replace(":", ";")
    file[f"----:com.apple.iTunes:{name}"] = [MP4FreeForm(words.encode())]
    file.save()
    return path


def chapters(name: str) -> Callable[[Path, str], Path]:
    """A chapter's title, and another key of a chapter, where the container has such."""

    def write(folder: Path, words: str) -> Path:
        def escaped(text: str) -> str:
            return "".join(f"\\{letter}" if letter in "=;#\\\n" else letter for letter in text)

        text = escaped(words[:900])
        told = folder / "chapters.ffmetadata"
        told.write_text(f";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=1\nEND=900\ntitle={text}\n{text}=v\n")
        return tone(folder / name, "-f", "ffmetadata", "-i", str(told), "-map", "0:a", "-map_chapters", "1")

    return write


PLACES: dict[str, Callable[[Path, str], Path]] = {
    "mp3": mp3_keys,
    "aiff": aiff_keys,
    "wav": wav_info,
    "wv, ape": ape_keys,
    "flac": comments(FLAC, "song.flac"),
    "ogg": comments(OggVorbis, "song.ogg"),
    "opus": comments(OggOpus, "song.opus"),
    "m4a": m4a_names,
    "mka": _by_ffmpeg("song.mka"),
    "mka, language": _by_ffmpeg("song.mka", "-metadata:s:a", "language={}"),
    "mov": _by_ffmpeg("song.mov", "-movflags", "use_metadata_tags"),
    "wma": _by_ffmpeg("song.wma"),
    "caf": _by_ffmpeg("song.caf", "-c:a", "pcm_s16le"),
    "avi": _by_ffmpeg("song.avi"),
    "flv": _by_ffmpeg("song.flv", "-c:a", "libmp3lame"),
    "mpegts": _by_ffmpeg("song.ts", "-metadata", "service_name={}", most=100),
    "mka, chapters": chapters("song.mka"),
    "m4a, chapters": chapters("song.m4a"),
    "mp3, chapters": chapters("song.mp3"),
    "mp3, chapters' keys": mp3_chapter_keys,
}


def corpus() -> list[tuple[str, str]]:
    """Each place with each kind of words."""
    return [(place, words) for place in PLACES for words in WORDS]
