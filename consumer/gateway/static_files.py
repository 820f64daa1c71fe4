"""Files that lie in a package and are sent as they are."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources.abc import Traversable
from typing import Annotated

from fastapi import Header, HTTPException
from starlette.responses import Response

from consumer.gateway.views import is_known

IfNoneMatch = Annotated[str | None, Header(max_length=2000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """One file. etag: a strong validator, in quotes."""

    content: bytes
    media_type: str
    etag: str


def read_static_file(path: Traversable, media_type: str) -> StaticFile:
    """As it lies there."""
    content = path.read_bytes()
    return StaticFile(content=content, media_type=media_type, etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def answer_static_file(
    files: Mapping[str, StaticFile], name: str, if_none_match: str | None, *, policy: str
) -> Response:
    """The file of that name, or 304 where it is known; policy: its Content-Security-Policy. Raises HTTPException, 404.

    Asked for again each time, so that a page never mixes files of two releases.
    """
    file = files.get(name)
    if file is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    headers = {"ETag": file.etag, "Cache-Control": "public, no-cache", "Content-Security-Policy": policy}
    if is_known(if_none_match, file.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
