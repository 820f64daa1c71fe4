"""What files are by their first bytes: those of audio come in, what is certainly none does not."""

import io
import json
import zipfile
import zlib
from pathlib import Path

import pytest

from consumer.core.catalog import SOURCE_FORMATS
from consumer.gateway.problems import Problem
from consumer.gateway.uploads.sniffing import HEAD_BYTES, check_type, container_of
from harness.clips import write_clip
from harness.corpus.catalogue import catalogue
from harness.corpus.specimen import Truth


@pytest.mark.parametrize("extension", ["wav", "flac", "mp3", "ogg", "m4a", "opus", "aiff", "mka", "au", "wma", "caf"])
def test_what_ffmpeg_writes_comes_in(extension: str, tmp_path: Path) -> None:
    """Of the formats that people send."""
    head = write_clip(tmp_path / f"song.{extension}", seconds=1.0, seed=1).read_bytes()[:HEAD_BYTES]
    check_type(head, SOURCE_FORMATS)


def test_a_container_that_is_not_allowed(tmp_path: Path) -> None:
    """415 with the code that a replica would give."""
    head = write_clip(tmp_path / "song.wav", seconds=1.0, seed=1).read_bytes()[:HEAD_BYTES]
    assert container_of(head) == "wav"
    with pytest.raises(Problem) as caught:
        check_type(head, ["mp3", "flac"])
    assert (caught.value.status, caught.value.code) == (415, "FORMAT_NOT_ALLOWED")


def archive() -> bytes:
    """A zip file."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as written:
        written.writestr("song.mp3", b"\0" * 100)
    return data.getvalue()


@pytest.mark.parametrize(
    "head",
    [
        b"#EXTM3U\n/etc/passwd\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"<!DOCTYPE html><html></html>",
        json.dumps({"a": 1}).encode(),
        "Müsli, in Unicode\n".encode() * 9000,
        "a text of Windows'".encode("utf-16"),
        b"%PDF-1.7\n\x00",
        archive(),
        zlib.compress(b"x" * 100, wbits=31),
        Path("/bin/sh").read_bytes()[:HEAD_BYTES],
        (Path(__file__).parents[4] / "docs/dashboard.png").read_bytes()[:HEAD_BYTES],
        b"\0\0\0\x18ftypheic\0\0\0\0",
    ],
    ids=["m3u", "ffconcat", "html", "json", "long-text", "utf-16", "pdf", "zip", "gzip", "elf", "png", "heic"],
)
def test_what_is_certainly_no_audio(head: bytes) -> None:
    """415; also a text that is longer than what is looked at, and is cut within a character."""
    with pytest.raises(Problem) as caught:
        check_type(head[:HEAD_BYTES], SOURCE_FORMATS)
    assert (caught.value.status, caught.value.code) == (415, "FORMAT_NOT_ALLOWED")


def test_an_empty_file() -> None:
    """As a replica calls it."""
    with pytest.raises(Problem) as caught:
        check_type(b"", SOURCE_FORMATS)
    assert (caught.value.status, caught.value.code) == (422, "AUDIO_EMPTY")


def test_what_can_not_be_told_is_the_replicas_to_judge() -> None:
    """An mp3 behind padding, as some recorders write it."""
    check_type(b"\0" * 5000 + b"\xff\xfb\x90\x64", SOURCE_FORMATS)


@pytest.mark.parametrize("name", [name for name, file in catalogue().items() if isinstance(file.holds, Truth)][::12])
def test_no_sound_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever a replica can separate comes in, damaged and oddly written files too."""
    path = tmp_path / Path(name).name
    catalogue()[name].make(path)
    check_type(path.read_bytes()[:HEAD_BYTES], SOURCE_FORMATS)
