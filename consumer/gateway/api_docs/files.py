"""The page's files as they are sent, read once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

PAGE = "page.html"
_TYPES = {
    PAGE: "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
    "swagger_ui/swagger-ui.css": "text/css; charset=utf-8",
    "swagger_ui/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger_ui/swagger-ui-bundle.js.LICENSE.txt": "text/plain; charset=utf-8",
    "swagger_ui/LICENSE": "text/plain; charset=utf-8",
    "swagger_ui/NOTICE": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """One file of the page. etag: a strong validator, in quotes."""

    content: bytes
    media_type: str
    etag: str


def page_files() -> Mapping[str, PageFile]:
    """All of them by their names below `/docs/`, some 2 MB."""
    folder = files(__package__)
    return {path.rpartition("/")[2]: _file(folder.joinpath(path).read_bytes(), kind) for path, kind in _TYPES.items()}


def _file(content: bytes, media_type: str) -> PageFile:
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return PageFile(content=content, media_type=media_type, etag=etag)
