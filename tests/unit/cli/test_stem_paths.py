"""Names of stems' files: Spleeter's template, and what it must not lead to."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.cli.stem_paths import Unnameable, check_targets, check_template, plan, shown
from consumer.core.errors import Fatal
from consumer.core.file_names import DEFAULT_TEMPLATE

STEMS = ("vocals", "accompaniment")
OUT = Path("out")

file_names = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..")
)


def targets(files: list[Path], output: Path, template: str = DEFAULT_TEMPLATE) -> list[str]:
    """The paths, in order, as seen from `output`."""
    tracks = plan(files, output, template, "wav", STEMS)
    return [str(path.relative_to(output)) for track in tracks for path in track.targets.values()]


@given(name=file_names)
@example(name="...wav")
@example(name="..wav")
@example(name=".wav")
@example(name="....")
def test_no_name_leads_to_another_folder(name: str) -> None:
    """Whatever a file is called, its stems lie in one folder of the output, and in none above or below."""
    for target in targets([Path("in") / name], OUT):
        [folder, file] = Path(target).parts
        assert folder not in ("", ".", "..")
        assert name.startswith(folder)
        assert file in {f"{stem}.wav" for stem in STEMS}


@pytest.mark.parametrize(
    "template",
    ["{filename:.2}/{instrument}.wav", "{filename[0]}/{instrument}.wav", "{foldername}/{instrument}.wav"],
    ids=["cut-to-parent", "cut-to-dot", "no-folder"],
)
def test_a_field_that_is_no_name_is_refused(template: str) -> None:
    """A part of a name, or the root's missing one, may be none."""
    check_template(template, "wav")
    with pytest.raises(Unnameable, match="another folder"):
        plan([Path("/..hidden.wav")], OUT, template, "wav", STEMS)


def test_a_stem_that_a_configuration_calls_by_a_path_is_refused() -> None:
    """Names of stems come from a file, too."""
    with pytest.raises(Unnameable, match="another folder"):
        plan([Path("song.wav")], OUT, DEFAULT_TEMPLATE, "wav", ("../../vocals",))


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{title}/{instrument}.wav", "{filename}, {instrument}, {foldername}, {codec}"),
        ("{}/{instrument}.wav", "no template"),
        ("{filename", "no template"),
        ("{filename.title.x}/{instrument}.wav", "no template"),
        ("{filename:d}/{instrument}.wav", "no template"),
        ("{filename}/{instrument}/", "names a folder"),
        ("", "names a folder"),
        ("{filename}/{instrument}.mp3", ".mp3"),
    ],
)
def test_a_template_that_is_none_is_refused(template: str, reason: str) -> None:
    """Before anything is separated, with what may be in it."""
    with pytest.raises(Unnameable) as raised:
        check_template(template, "wav")
    assert reason in str(raised.value)


@pytest.mark.parametrize("template", ["{filename}.wav", "{filename}/../{filename}.wav"])
def test_a_template_has_to_tell_stems_apart(template: str) -> None:
    """Spleeter calls it a path conflict."""
    with pytest.raises(Unnameable, match="instrument"):
        plan([Path("song.wav")], OUT, template, "wav", STEMS)


def test_a_name_too_long_for_the_disk_is_refused() -> None:
    """Not after the work: names have at most 255 bytes."""
    assert targets([Path("x" * 251 + ".wav")], OUT)
    with pytest.raises(Unnameable, match="255"):
        targets([Path("x" * 251 + ".wav")], OUT, "{filename}-{instrument}.wav")


def link_by_name(source: Path, link: Path) -> None:
    link.symlink_to(os.path.relpath(source, link.parent))


def link_by_inode(source: Path, link: Path) -> None:
    os.link(source, link)


def no_link(source: Path, link: Path) -> None:
    source.rename(link)
    source.symlink_to(link)


@pytest.mark.parametrize("tie", [link_by_name, link_by_inode, no_link])
@pytest.mark.parametrize("read_as", ["other", "first"])
def test_a_target_that_is_read_is_refused(tie: object, read_as: str, tmp_path: Path) -> None:
    """Under whatever name it is read, and though it may be another file's turn first."""
    source, target = tmp_path / "source.wav", tmp_path / "out" / "song" / "vocals.wav"
    source.write_bytes(b"sound")
    (tmp_path / "song.wav").write_bytes(b"other sound")
    target.parent.mkdir(parents=True)
    tie(source, target)  # type: ignore[operator]
    reads = [tmp_path / "song.wav", source if read_as == "other" else target]
    tracks = plan([tmp_path / "song.wav"], tmp_path / "out", DEFAULT_TEMPLATE, "wav", STEMS)
    check_targets(tracks, reads=reads[:1])
    with pytest.raises(Fatal, match="which is read"):
        check_targets(tracks, reads=reads)


def test_two_files_with_one_target_are_refused(tmp_path: Path) -> None:
    """Also where only a link of folders makes it one; a template may tell them apart."""
    files = [tmp_path / folder / name for folder, name in (("a", "song.wav"), ("b", "song.mp3"))]
    with pytest.raises(Fatal, match="would both be written to"):
        check_targets(plan(files, tmp_path, DEFAULT_TEMPLATE, "wav", STEMS), reads=[])
    check_targets(plan(files, tmp_path, "{foldername}/{filename}-{instrument}.{codec}", "wav", STEMS), reads=[])
    (tmp_path / "one").mkdir()
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(Fatal, match="would both be written to"):
        check_targets(plan([Path("one.wav"), Path("two.wav")], tmp_path, DEFAULT_TEMPLATE, "wav", STEMS), reads=[])


def test_a_target_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a pipe, a device, a place below a file."""
    (tmp_path / "folder" / "vocals.wav").mkdir(parents=True)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "vocals.wav")
    (tmp_path / "device").mkdir()
    (tmp_path / "device" / "vocals.wav").symlink_to(os.devnull)
    (tmp_path / "file").write_bytes(b"")
    for name in ("folder", "pipe", "device", "file"):
        with pytest.raises(Fatal, match=f"{name}/vocals.wav"):
            check_targets(plan([Path(f"{name}.wav")], tmp_path, DEFAULT_TEMPLATE, "wav", STEMS), reads=[])


@given(raw=st.binary(min_size=1).filter(lambda raw: b"\0" not in raw))
def test_every_name_can_be_shown(raw: bytes) -> None:
    """Whatever bytes a name is made of, it is shown as one line of text that any terminal can print."""
    text = shown(os.fsdecode(raw))
    assert text.encode().decode() == text
    assert len(text.splitlines()) == 1
    assert text.isprintable()
