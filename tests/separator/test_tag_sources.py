"""Tags of every kind of file, and what imitates them: written by mutagen or by hand, judged on stems by mutagen."""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from mutagen import File
from mutagen import id3 as untyped_id3
from mutagen.asf import ASF
from mutagen.flac import FLAC
from mutagen.mp4 import MP4
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wavpack import WavPack

from consumer.separator.audio.encode import Encoding
from consumer.separator.audio.probe import Probe, probe
from consumer.separator.audio.stem_writer import stem_writer
from consumer.separator.audio.tags import Tags
from harness.audio import RATE_HZ, music
from harness.files import ffmpeg
from tests.separator.jobs import FFMPEG
from tests.separator.pictures import FRONT, flac_with

ID3: Any = untyped_id3
# What a song's tags may hold, each whole.
TEXTS = {
    "plain": "Song",
    "umlauts and others": "Größe 中文 \U0001f3b5",
    "two lines": "first line\nsecond line",
    "lines of a file": "a\n\n  Stream #0:0: Audio: mp3, 8000 Hz, mono (default)\n[STREAM]\ntitle=another",
    "what ffmetadata escapes": r"a=b;c#d\e\\f=",
    "ends in a backslash": "a\\",
    "controls": "a\x01b\tc\x1bd\x7f",
    "six hundred": "é" * 600,
    "a comment": ";title=x",
    "looks like an option": "-i /etc/passwd",
}
FIELDS = {
    "title": "Größe",
    "artist": "Künstler",
    "album": "line 1\nline 2",
    "album_artist": "Alle",
    "track": "3",
    "date": "2001",
    "genre": "Rock",
}


def tone(path: Path, *args: str) -> Path:
    """A second of sound without tags."""
    ffmpeg("-f", "lavfi", "-i", "sine=440:d=1", "-map_metadata", "-1", "-fflags", "+bitexact", *args, f"file:{path}")
    return path


def id3(version: int, encoding: int) -> Callable[[Path, Mapping[str, str]], Path]:
    frames = {"title": ID3.TIT2, "artist": ID3.TPE1, "album": ID3.TALB, "album_artist": ID3.TPE2, "track": ID3.TRCK}
    frames |= {"date": ID3.TDRC, "genre": ID3.TCON}

    def write(folder: Path, fields: Mapping[str, str]) -> Path:
        path = tone(folder / "song.mp3", "-id3v2_version", "0")
        tags = ID3.ID3()
        for name, text in fields.items():
            tags.add(frames[name](encoding=encoding, text=text))
        tags.save(path, v1=0, v2_version=version)
        return path

    return write


def id3v22(folder: Path, fields: Mapping[str, str]) -> Path:
    names = {"title": b"TT2", "artist": b"TP1", "album": b"TAL", "album_artist": b"TP2", "track": b"TRK"}
    names |= {"date": b"TYE", "genre": b"TCO"}
    body = b""
    for name, text in fields.items():
        data = b"\1" + text.encode("utf-16")
        body += names[name] + len(data).to_bytes(3, "big") + data
    size = bytes((len(body) >> shift) & 127 for shift in (21, 14, 7, 0))
    path = tone(folder / "song.mp3", "-id3v2_version", "0")
    path.write_bytes(b"ID3\2\0\0" + size + body + path.read_bytes())
    return path


def id3v1(folder: Path, fields: Mapping[str, str]) -> Path:
    path = tone(folder / "song.mp3", "-id3v2_version", "0")
    parts = [fields.get(name, "").encode("latin-1").ljust(30, b"\0") for name in ("title", "artist", "album")]
    comment = bytes(29) + bytes([int(fields["track"])])
    tag = b"TAG" + b"".join(parts) + fields["date"].encode() + comment + bytes([17])  # of its list: Rock
    assert len(tag) == 128
    path.write_bytes(path.read_bytes() + tag)
    return path


def riff(encoding: str) -> Callable[[Path, Mapping[str, str]], Path]:
    names = {"title": b"INAM", "artist": b"IART", "album": b"IPRD", "track": b"IPRT", "date": b"ICRD", "genre": b"IGNR"}

    def write(folder: Path, fields: Mapping[str, str]) -> Path:
        path = tone(folder / "song.wav")
        info = b"INFO"
        for name, text in fields.items():
            data = text.encode(encoding) + b"\0"
            info += names[name] + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
        body = path.read_bytes()[12:] + b"LIST" + struct.pack("<I", len(info)) + info
        path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body)
        return path

    return write


def by_mutagen(
    kind: Callable[[Path], Any], extension: str, names: Mapping[str, str], *args: str
) -> Callable[[Path, Mapping[str, str]], Path]:
    def write(folder: Path, fields: Mapping[str, str]) -> Path:
        path = tone(folder / f"song.{extension}", *args)
        file = kind(path)
        for name, text in fields.items():
            file[names[name]] = [(int(text), 0)] if names[name] == "trkn" else text
        file.save()
        return path

    return write


def matroska(folder: Path, fields: Mapping[str, str]) -> Path:
    return tone(folder / "song.mka", *[arg for pair in fields.items() for arg in ("-metadata", "=".join(pair))])


VORBIS = {name: name for name in FIELDS} | {"album_artist": "albumartist", "track": "tracknumber"}
APE = {"title": "Title", "artist": "Artist", "album": "Album", "album_artist": "Album Artist", "track": "Track"}
APE |= {"date": "Year", "genre": "Genre"}
MP4_NAMES = {"title": "\xa9nam", "artist": "\xa9ART", "album": "\xa9alb", "album_artist": "aART", "track": "trkn"}
MP4_NAMES |= {"date": "\xa9day", "genre": "\xa9gen"}
ASF_NAMES = {"title": "Title", "artist": "Author", "album": "WM/AlbumTitle", "album_artist": "WM/AlbumArtist"}
ASF_NAMES |= {"track": "WM/TrackNumber", "date": "WM/Year", "genre": "WM/Genre"}
SOURCES: dict[str, Callable[[Path, Mapping[str, str]], Path]] = {
    "ID3v2.3 UTF-16": id3(3, 1),
    "ID3v2.4 Latin-1": id3(4, 0),
    "ID3v2.4 UTF-16": id3(4, 1),
    "ID3v2.4 UTF-16BE": id3(4, 2),
    "ID3v2.4 UTF-8": id3(4, 3),
    "ID3v2.2 UTF-16": id3v22,
    "ID3v1": id3v1,
    "RIFF UTF-8": riff("utf-8"),
    "RIFF Latin-1": riff("latin-1"),
    "FLAC": by_mutagen(FLAC, "flac", VORBIS),
    "Vorbis": by_mutagen(OggVorbis, "ogg", VORBIS),
    "Opus": by_mutagen(OggOpus, "opus", VORBIS),
    "APEv2": by_mutagen(WavPack, "wv", APE),
    "MP4": by_mutagen(MP4, "m4a", MP4_NAMES),
    "ASF": by_mutagen(ASF, "wma", ASF_NAMES),
    "Matroska": matroska,
}
# What a kind of tag has no place for, or holds in another form.
LACKS = {"ID3v1": {"album_artist"}, "RIFF UTF-8": {"album_artist"}, "RIFF Latin-1": {"album_artist"}}
UNICODE = [name for name in SOURCES if name not in ("ID3v1", "ID3v2.4 Latin-1", "RIFF Latin-1")]


@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_of_tag_is_read(tmp_path: Path, source: str) -> None:
    """All that is looked for, in every encoding."""
    fields = {name: text for name, text in FIELDS.items() if name not in LACKS.get(source, ())}
    found = probe(FFMPEG, SOURCES[source](tmp_path, fields)).tags.texts
    assert found == fields


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("source", UNICODE)
def test_a_title_is_read_whole(tmp_path: Path, source: str, text: str) -> None:
    """Whatever it holds."""
    assert probe(FFMPEG, SOURCES[source](tmp_path, {"title": text})).tags.texts == {"title": text}


def title_of(path: Path) -> str:
    """A stem's title as mutagen reads it, or, of a WAVE file, as its INFO chunk has it."""
    if path.suffix == ".wav":
        data = path.read_bytes()
        at = data.index(b"INAM")
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        return data[at + 8 : at + 8 + size].rstrip(b"\0").decode()
    tags = File(path).tags
    name = {".mp3": "TIT2", ".m4a": "\xa9nam"}.get(path.suffix, "title")
    [title] = tags[name].text if path.suffix == ".mp3" else tags[name]
    return str(title)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("format", ["mp3", "flac", "ogg", "opus", "m4a", "wav"])
def test_a_title_is_written_whole(tmp_path: Path, format: str, text: str) -> None:
    """Whatever it holds, with the stem's name behind it."""
    path = tmp_path / f"vocals.{format}"
    encoding = Encoding(format=format, rate_hz=RATE_HZ, tags=Tags(texts={"title": text, "artist": "A"}))
    with stem_writer(FFMPEG, path, encoding) as encoder:
        encoder.write(music(seconds=0.2))
        encoder.finish()
    assert title_of(path) == f"{text} (vocals)"


@pytest.mark.parametrize("name", ["title", "artist", "genre"])
def test_a_long_text_is_cut_between_characters(tmp_path: Path, name: str) -> None:
    """At ten thousand of them, however many bytes these have."""
    found = probe(FFMPEG, matroska(tmp_path, {name: "é中\U0001f3b5" * 5000})).tags.texts
    assert found == {name: ("é中\U0001f3b5" * 5000)[:10_000]}


def test_several_values_of_a_vorbis_comment_are_kept(tmp_path: Path) -> None:
    """All of them, as ffmpeg joins them."""
    path = tone(tmp_path / "song.flac")
    file = FLAC(path)
    file["artist"] = ["One", "Two", "Three"]
    file.save()
    assert probe(FFMPEG, path).tags.texts == {"artist": "One;Two;Three"}


@pytest.mark.parametrize("container", ["mkv", "mp4", "avi", "asf"])
def test_titles_of_other_streams_are_not_the_songs(tmp_path: Path, container: str) -> None:
    """A second track's, a film's; of the tracks the chosen one's alone, and only where the file itself has none."""
    path = tmp_path / f"film.{container}"
    tones = ("-f", "lavfi", "-i", "sine=440:d=1", "-f", "lavfi", "-i", "sine=880:d=1")
    film = ("-f", "lavfi", "-i", "testsrc=size=32x32:rate=5:duration=1", "-map", "2:v", "-c:v", "mpeg4")
    streams = ("-metadata:s:v:0", "title=film", "-metadata:s:a:0", "title=first", "-metadata:s:a:1", "title=second")
    ffmpeg(*tones, *film, "-map", "0:a", "-map", "1:a", "-c:a", "ac3", *streams, f"file:{path}")
    for track, title in ((0, "first"), (1, "second")):
        found = probe(FFMPEG, path, track).tags.texts.get("title")
        assert found in ({title} if container == "mkv" else {title, None})
    whole = tmp_path / f"whole.{container}"
    ffmpeg("-i", f"file:{path}", "-map", "0", "-c", "copy", "-metadata", "title=whole", f"file:{whole}")
    assert probe(FFMPEG, whole, 1).tags.texts["title"] == "whole"


def test_an_unreadable_track_keeps_no_other_from_its_tags(tmp_path: Path) -> None:
    """A track that ffmpeg does not list among those with tags does not shift the others' tags."""
    path = tmp_path / "song.mka"
    tones = ("-f", "lavfi", "-i", "sine=440:d=1", "-f", "lavfi", "-i", "sine=880:d=1")
    titles = ("-metadata:s:a:0", "title=first", "-metadata:s:a:1", "title=second")
    ffmpeg(*tones, "-map", "0:a", "-map", "1:a", "-c:a", "ac3", *titles, f"file:{path}")
    path.write_bytes(path.read_bytes().replace(b"A_AC3", b"A_XYZ", 1))
    assert probe(FFMPEG, path).tags.texts == {"title": "second"}


FAKE = "  Stream #0:0: Audio: mp3, 8000 Hz, mono (default)\n  Duration: 01:00:00.00, start: 0.0, bitrate: 8 kb/s"
FAKE += "\nInput #0, mp3, from 'file:x':\n    comment         : Cover (front)"


@pytest.mark.parametrize(
    "options",
    [
        ("-metadata", f"title=x\n{FAKE}"),
        ("-metadata", f"x\n{FAKE}=y"),
        ("-metadata:s:a:0", f"x\n{FAKE}=y"),
        ("-metadata:s:v:0", f"title=x\n{FAKE}"),
        ("-metadata:s:a:0", f"language=eng): Audio: mp3, 8000 Hz, mono (default)\n{FAKE}(eng"),
        ("-metadata:s:v:0", "language=eng): Audio: mp3"),
        ("-metadata", "x\nOutput #0, ffmetadata, to 'pipe:1':\n[STREAM]\ntitle=y=z"),
    ],
    ids=["title", "name", "track's name", "film's title", "language", "film's language", "sections"],
)
def test_what_imitates_ffmpegs_lines_changes_nothing(tmp_path: Path, options: tuple[str, str]) -> None:
    """Names and values with line ends, and languages, that pretend to be streams, durations or sections."""
    sources = (
        ("0:v", "testsrc=size=32x32:rate=5:duration=2"),
        ("1:a", "anullsrc=d=2:r=48000"),
        ("2:a", "anullsrc=d=2:r=44100:cl=mono"),
    )
    inputs = [word for _, source in sources for word in ("-f", "lavfi", "-i", source)]
    inputs += [word for place, _ in sources for word in ("-map", place)]
    codecs = ("-c:v", "mpeg4", "-c:a", "ac3", "-disposition:a:0", "0", "-disposition:a:1", "default")
    found = []
    for name, extra in (("honest", ()), ("liar", options)):
        path = tmp_path / f"{name}.mkv"
        ffmpeg(*inputs, *codecs, *extra, f"file:{path}")
        found.append(facts(probe(FFMPEG, path)))
    honest, liar = found
    assert honest == ("matroska", 1, 1, "mono", 44100, 2.0, ())
    assert liar == honest


def facts(found: Probe) -> tuple[object, ...]:
    seconds = None if found.duration_s is None else round(found.duration_s, 0)
    return (
        *(found.format, found.track, found.channels, found.layout, found.sample_rate_hz, seconds),
        found.tags.covers,
    )


@pytest.mark.parametrize("kind", ["ten thousand tags", "ten megabytes in one line", "ten megabytes in many lines"])
@pytest.mark.parametrize("extension", ["flac", "ogg", "mka", "mp3"])
def test_tags_without_end_hide_nothing(tmp_path: Path, extension: str, kind: str) -> None:
    """Neither the title behind them, nor what the file is."""
    tags = {
        "ten thousand tags": "\n".join(f"key{number}=value {number}" for number in range(10_000)),
        "ten megabytes in one line": f"lyrics={'x' * 10_000_000}",
        "ten megabytes in many lines": "lyrics=" + "\\\n".join(["a line of the lyrics"] * 500_000),
    }[kind]
    written = tmp_path / "tags.ffmetadata"
    written.write_text(f";FFMETADATA1\n{tags}\ntitle=Behind all\n")
    path = tmp_path / f"song.{extension}"
    ffmpeg("-f", "lavfi", "-i", "sine=440:d=1", "-i", str(written), "-map", "0:a", "-map_metadata", "1", f"file:{path}")
    found = probe(FFMPEG, path)
    assert found.tags.texts == {"title": "Behind all"}
    assert (found.track, found.channels, found.sample_rate_hz) == (0, 1, 44100)
    assert found.duration_s == pytest.approx(1.0, abs=0.1)


def test_a_picture_that_is_none_hides_nothing(tmp_path: Path) -> None:
    """What ffmpeg complains of before it describes the file does not keep us from its length."""
    path = flac_with(tmp_path / "song.flac", ("image/png", b"<html></html>", FRONT))
    found = probe(FFMPEG, path)
    assert (found.duration_s, found.channels, len(found.tags.covers)) == (1.0, 2, 1)


def test_text_frames_of_any_name_are_none_of_ours(tmp_path: Path) -> None:
    """A frame of a sender's own, whatever it is called, is not taken for a title."""
    path = tone(tmp_path / "song.mp3", "-id3v2_version", "0")
    tags = ID3.ID3()
    tags.add(ID3.TXXX(encoding=3, desc="x\n[STREAM]\ntitle=y", text="z"))
    tags.save(path, v1=0)
    assert probe(FFMPEG, path).tags.texts == {}
