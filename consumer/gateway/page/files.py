"""The page's files as they are sent, read once."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from consumer.gateway.static_files import StaticFile, read_static_file

INDEX = "index.html"
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def page_files() -> Mapping[str, StaticFile]:
    """All of them, by their paths below `/page/`."""
    return {
        name: read_static_file(path, _TYPES[kind])
        for name, path in _walk(files(__package__), "")
        if (kind := name.rpartition(".")[2]) in _TYPES
    }


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for path in folder.iterdir():
        if path.is_dir():
            yield from _walk(path, f"{prefix}{path.name}/")
        else:
            yield f"{prefix}{path.name}", path
