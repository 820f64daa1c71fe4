"""Cover pictures: an accessory that never costs anybody the stems."""

from collections.abc import Callable
from pathlib import Path

import pytest

from consumer.core.model import Separation
from consumer.separator.audio.probe import probe
from consumer.separator.dsp.network import Network
from consumer.separator.track import TrackOrder, separate_track
from harness.files import ffmpeg
from tests.separator.jobs import FFMPEG
from tests.separator.pictures import BACK, FRONT, flac_with, mp3_with, picture

HOLDS = ("mp3", "flac", "m4a")
BEGINS = {"mjpeg": b"\xff\xd8\xff", "png": b"\x89PNG"}
EXTENSIONS: dict[Callable[..., Path], str] = {mp3_with: "mp3", flac_with: "flac"}
HTML = b"<html><body>404 Not Found</body></html>"


def separated(network: Network, source: Path, format: str) -> Separation:
    folder = source.with_suffix(".stems")
    folder.mkdir()
    separation = separate_track(TrackOrder(path=source, folder=folder, format=format), network, FFMPEG)
    assert {path.name for path in folder.iterdir()} == {stem.path.name for stem in separation.stems}
    return separation


def pictures_of(separation: Separation) -> set[bytes]:
    """The pictures' bytes on the stems, as ffmpeg copies them out."""
    found = set()
    for stem in separation.stems:
        covers = probe(FFMPEG, stem.path).tags.covers
        assert len(covers) <= 1
        for cover in covers:
            args = ("-map", f"0:{cover.index}", "-frames:v", "1", "-c", "copy", "-f", "image2pipe", "pipe:1")
            found.add(ffmpeg("-i", f"file:{stem.path}", *args))
            assert ffmpeg("-i", f"file:{stem.path}", "-map", f"0:{cover.index}", "-f", "rawvideo", "pipe:1")
    return found


@pytest.mark.parametrize("make", [mp3_with, flac_with])
@pytest.mark.parametrize("format", HOLDS)
@pytest.mark.parametrize(("declared", "extension"), [("image/png", "jpg"), ("image/jpeg", "png")])
def test_a_picture_is_what_it_holds(
    network: Network, tmp_path: Path, make: Callable[..., Path], format: str, declared: str, extension: str
) -> None:
    """A JPEG that is called a PNG, or the other way round, is on the stems, byte for byte."""
    content = picture(tmp_path, extension)
    separation = separated(network, make(tmp_path / f"song.{EXTENSIONS[make]}", (declared, content, FRONT)), format)
    assert pictures_of(separation) == {content}
    assert separation.warnings == ()


@pytest.mark.parametrize("format", HOLDS)
@pytest.mark.parametrize("extension", ["webp", "gif", "bmp", "tiff"])
def test_a_picture_of_another_kind_becomes_png(network: Network, tmp_path: Path, format: str, extension: str) -> None:
    """What not every format holds is on the stems as PNG, whatever its declared type."""
    source = mp3_with(tmp_path / "song.mp3", ("image/jpeg", picture(tmp_path, extension), FRONT))
    separation = separated(network, source, format)
    [content] = pictures_of(separation)
    assert content.startswith(BEGINS["png"])
    assert separation.warnings == ()


@pytest.mark.parametrize("format", HOLDS)
@pytest.mark.parametrize("make", [mp3_with, flac_with])
@pytest.mark.parametrize("broken", ["html", "cut png", "cut jpeg", "head of a png", "riff", "zeros"])
def test_a_broken_picture_is_left_out_and_told(
    network: Network, tmp_path: Path, make: Callable[..., Path], format: str, broken: str
) -> None:
    """A picture that is none, or half of one, costs nothing but itself."""
    png, jpeg = picture(tmp_path, "png", side=200), picture(tmp_path, "jpg", side=200)
    content = {
        "html": HTML,
        "cut png": png[: len(png) // 2],
        "cut jpeg": jpeg[: len(jpeg) // 2],
        "head of a png": png[:8],
        "riff": b"RIFF\x10\0\0\0WAVEfmt ",
        "zeros": bytes(64),
    }[broken]
    source = make(tmp_path / f"song.{EXTENSIONS[make]}", ("image/jpeg", content, FRONT))
    separation = separated(network, source, format)
    assert pictures_of(separation) == set()
    assert len(separation.warnings) == 1
    assert separation.warnings[0].startswith("the cover picture is left out: ")


@pytest.mark.parametrize("declared", ["-->", "application/x-picture", ""])
def test_a_picture_that_ffmpeg_does_not_show_is_told(network: Network, tmp_path: Path, declared: str) -> None:
    """A link, or a type that ffmpeg does not know, is left out, and the result says so."""
    source = mp3_with(tmp_path / "song.mp3", (declared, picture(tmp_path, "jpg"), FRONT))
    separation = separated(network, source, "mp3")
    assert pictures_of(separation) == set()
    assert separation.warnings == ("the cover picture is left out: ffmpeg does not know its declared kind",)


@pytest.mark.parametrize("make", [mp3_with, flac_with])
@pytest.mark.parametrize("front_at", [0, 1])
def test_of_several_pictures_the_front_cover_is_taken(
    network: Network, tmp_path: Path, make: Callable[..., Path], front_at: int
) -> None:
    """Wherever it stands among them."""
    front, back = picture(tmp_path, "png", side=48), picture(tmp_path, "jpg")
    both = [("image/jpeg", back, BACK)]
    both.insert(front_at, ("image/png", front, FRONT))
    separation = separated(network, make(tmp_path / f"song.{EXTENSIONS[make]}", *both), "flac")
    assert pictures_of(separation) == {front}
    assert separation.warnings == ()


def test_a_broken_front_cover_leaves_the_next(network: Network, tmp_path: Path) -> None:
    """Another picture of the file stands in for it, and the result tells of the broken one."""
    back = picture(tmp_path, "jpg")
    source = mp3_with(tmp_path / "song.mp3", ("image/jpeg", back, BACK), ("image/png", HTML, FRONT))
    separation = separated(network, source, "m4a")
    assert pictures_of(separation) == {back}
    assert separation.warnings == ("the cover picture is left out: it can't be read",)


def test_a_huge_picture_is_left_out(network: Network, tmp_path: Path) -> None:
    """A small file that unpacks to a hundred million pixels is not unpacked."""
    path = tmp_path / "huge.png"
    ffmpeg("-f", "lavfi", "-i", "color=size=12000x9000:rate=1", "-frames:v", "1", f"file:{path}")
    separation = separated(network, mp3_with(tmp_path / "song.mp3", ("image/png", path.read_bytes(), FRONT)), "mp3")
    assert pictures_of(separation) == set()
    assert len(separation.warnings) == 1


@pytest.mark.parametrize("format", ["wav", "ogg", "opus"])
def test_formats_without_pictures_ask_for_none(network: Network, tmp_path: Path, format: str) -> None:
    """Where the output can't hold a picture anyway, nothing is said of a broken one."""
    source = mp3_with(tmp_path / "song.mp3", ("image/jpeg", HTML, FRONT))
    assert separated(network, source, format).warnings == ()


def test_a_pictures_description_is_no_title(network: Network, tmp_path: Path) -> None:
    """What a picture is called is not what the song is called."""
    source = mp3_with(tmp_path / "song.mp3", ("image/jpeg", picture(tmp_path, "jpg"), FRONT))
    stems = separated(network, source, "mp3").stems
    assert {probe(FFMPEG, stem.path).tags.texts["title"] for stem in stems} == {"vocals", "accompaniment"}
