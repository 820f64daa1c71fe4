"""The page's files as they are sent, read once."""

from collections.abc import Mapping
from importlib.resources import files

from consumer.gateway.static_files import StaticFile, read_static_file

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


def page_files() -> Mapping[str, StaticFile]:
    """All of them by their names below `/docs/`, some 2 MB."""
    folder = files(__package__)
    return {path.rpartition("/")[2]: read_static_file(folder.joinpath(path), kind) for path, kind in _TYPES.items()}
