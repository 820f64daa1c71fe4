"""Where `separate` writes: the stems' paths by Spleeter's template, looked over before anything is separated."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from consumer.core.catalog import FORMATS
from consumer.core.errors import Fatal
from consumer.core.file_names import TEMPLATE_FIELDS, BadTemplate, fill_template

_EXTENSIONS = {f".{row.extension}" for row in FORMATS.values()}
_NO_NAMES = ("", ".", "..")
_MAX_NAME_BYTES = 255  # Linux's
_LIKE_ANY_NAME = "x" * 100


class Unnameable(ValueError):
    """A template gives no usable file names; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StemPaths:
    """One input and where its stems go: stem → path, in the networks' order."""

    path: Path
    targets: dict[str, Path]


def shown(path: Path | str) -> str:
    """A path as one line that any terminal can print: what is no text in it is escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def check_template(template: str, extension: str) -> None:
    """Raises Unnameable where the template is none of Spleeter's, or would name the files for another format."""
    name = _render(template, dict.fromkeys(TEMPLATE_FIELDS, _LIKE_ANY_NAME) | {"codec": extension})
    if name.rpartition("/")[2] in _NO_NAMES:
        raise Unnameable("names a folder, not a file")
    ending = Path(name).suffix
    if ending in _EXTENSIONS - {f".{extension}"}:
        raise Unnameable(f"names {ending} files, but the codec makes .{extension} files")


def plan(files: Sequence[Path], output: Path, template: str, extension: str, stems: Sequence[str]) -> list[StemPaths]:
    """Where the stems of each file go.

    template: a relative one is meant from `output`. extension: of the stems' format. stems: their names.
    Raises Unnameable where the template doesn't keep two stems apart, or where names would lead to another folder.
    """
    tracks = []
    for path in files:
        targets = {stem: output / _name(path, stem, template, extension) for stem in stems}
        if len({os.path.normpath(target) for target in targets.values()}) < len(targets):
            raise Unnameable("gives all stems of a file one name: put {instrument} in")
        tracks.append(StemPaths(path=path, targets=targets))
    return tracks


def check_targets(tracks: Sequence[StemPaths], reads: Sequence[Path]) -> None:
    """Raises Fatal, with a line, where a stem can't be written or would take the place of something else.

    That is: another stem of this run, one of the files in `reads`, whatever names and links lead there, a folder, a
    device, or a file that is write-protected.
    """
    sources = {(found.st_dev, found.st_ino): path for path in reads if (found := _existing(path))}
    taken: dict[str, StemPaths] = {}
    for track, target in _targets(tracks):
        found = _existing(target)
        if found and (source := sources.get((found.st_dev, found.st_ino))):
            raise Fatal(f"{shown(target)} would be written over {shown(source)}, which is read: give another -o or -f")
        other = taken.setdefault(os.path.realpath(target), track)
        if other is not track:
            inputs = f"{shown(other.path)} and {shown(track.path)}"
            raise Fatal(f"{inputs} would both be written to {shown(target)}: give -f, such as with {{foldername}}")
        if found and not stat.S_ISREG(found.st_mode):
            raise Fatal(f"can't write to {shown(target)}: it is there, and no file")
        if found and not os.access(target, os.W_OK):
            raise Fatal(f"can't write to {shown(target)}: it is write-protected")


def _targets(tracks: Sequence[StemPaths]) -> Iterator[tuple[StemPaths, Path]]:
    return ((track, target) for track in tracks for target in track.targets.values())


def _existing(target: Path) -> os.stat_result | None:
    try:
        return target.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Fatal(f"can't use {shown(target)}: {error.strerror}") from error


def _name(path: Path, stem: str, template: str, extension: str) -> str:
    filename, foldername = _without_ending(path.name), path.parent.resolve().name
    fields = {"filename": filename, "instrument": stem, "foldername": foldername, "codec": extension}
    name = _render(template, fields)
    like = _render(template, dict.fromkeys(TEMPLATE_FIELDS, _LIKE_ANY_NAME))
    parts, like_parts = name.split("/"), like.split("/")
    # What stands for a name in the template must be one: no folder more, and none less.
    leaves = any(part in _NO_NAMES and wanted not in _NO_NAMES for part, wanted in zip(parts, like_parts, strict=False))
    if leaves or len(parts) != len(like_parts):
        raise Unnameable(f"with {shown(path)} and {shown(stem)} it leads to another folder: {shown(name)}")
    if any(len(os.fsencode(part)) > _MAX_NAME_BYTES for part in parts):
        raise Unnameable(f"makes a name of more than {_MAX_NAME_BYTES} bytes of {shown(path)}")
    return name


def _without_ending(name: str) -> str:
    """As Spleeter has it: all of "...wav" is name, and so none is "." or "..", as pathlib's stem may be."""
    return os.path.splitext(name)[0]  # noqa: PTH122 - see above


def _render(template: str, fields: dict[str, str]) -> str:
    try:
        return fill_template(template, fields)
    except BadTemplate as error:
        raise Unnameable(f"is no template of {', '.join(f'{{{name}}}' for name in TEMPLATE_FIELDS)}") from error
