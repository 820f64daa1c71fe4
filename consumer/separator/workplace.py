"""How stems get their names: made in a hidden folder beside them, and renamed when all are whole.

So a run that fails, or is ended, changes nothing that was there before.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_PREFIX = ".separating-"


@contextlib.contextmanager
def workplace(targets: Sequence[Path]) -> Iterator[Path]:
    """An empty folder for what is to be renamed to these paths; it goes when the context is left.

    The folders of the paths are made, and those that were made and got nothing are removed again. Raises OSError.
    """
    with contextlib.ExitStack() as stack:
        for target in targets:
            _make_folders(target.absolute().parent, stack)
        common = os.path.commonpath([target.absolute().parent for target in targets])
        yield Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, dir=common)))


def _make_folders(folder: Path, stack: contextlib.ExitStack) -> None:
    for parent in (*reversed(folder.parents), folder):
        if not parent.exists():
            parent.mkdir(exist_ok=True)
            stack.callback(_remove_if_empty, parent)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def give_names(files: Mapping[Path, Path]) -> None:
    """Rename each file to its path, in place of what may be there. Raises OSError."""
    for made, target in files.items():
        made.replace(target)
