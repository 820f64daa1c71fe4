"""Where Spleeter's interface puts stems: its template for file names, in its words; imports no numpy."""

import os
from collections.abc import Iterable
from pathlib import Path

from consumer.core.file_names import BadTemplate, fill_template
from consumer.separator.spleeter_api.errors import SpleeterError

_NO_NAMES = ("", ".", "..")

AudioDescriptor = str | bytes | os.PathLike[str]


def stem_paths(
    descriptor: AudioDescriptor,
    destination: str | os.PathLike[str],
    template: str,
    instruments: Iterable[str],
    codec: str,
) -> dict[str, Path]:
    """Stem -> its path under the destination, in the order of `instruments`.

    descriptor: the track's path, of which {filename} is the name without its ending and {foldername} the folder's name.
    codec: the ending that {codec} stands for. Raises SpleeterError where the template is none of Spleeter's, or gives
    two stems one path.
    """
    text = os.fsdecode(descriptor)
    folder, name = os.path.split(text)
    foldername = os.path.basename(folder)  # noqa: PTH119 - pathlib drops "." and trailing slashes, Spleeter doesn't
    if foldername in _NO_NAMES:  # it would lead out of the destination
        foldername = Path(folder).resolve().name
    fields = {"filename": os.path.splitext(name)[0], "foldername": foldername, "codec": codec}  # noqa: PTH122
    paths: dict[str, Path] = {}
    for instrument in instruments:
        path = os.path.normpath(os.path.join(destination, _filled(template, fields | {"instrument": instrument})))  # noqa: PTH118
        if Path(path) in paths.values():
            raise SpleeterError(f"Separated source path conflict : {path}, filename_format lacks {{instrument}}")
        paths[instrument] = Path(path)
    return paths


def _filled(template: str, fields: dict[str, str]) -> str:
    try:
        return fill_template(template, fields)
    except BadTemplate as error:
        known = "{filename}, {instrument}, {foldername} and {codec}"
        raise SpleeterError(f"filename_format must be a template of {known}, not {template!r}") from error


def refuse_to_write_onto(source: Path, targets: Iterable[Path]) -> None:
    """Raise SpleeterError where a stem would take the place of the track that it is made of, by whatever link."""
    for target in targets:
        if target.exists() and target.samefile(source):
            raise SpleeterError(f"{target} would be written over the track that is read: give another destination")
