"""Asking the store: its errors become those of core.errors."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import urllib3
from minio.error import MinioException

from consumer.adapters.network_errors import is_of_a_certificate, reason_of
from consumer.adapters.s3.answers import Refused, error_of
from consumer.core.cancellation import Cancellation
from consumer.core.errors import Code, Rejected, StoreRefusal, StoreUnavailable

T = TypeVar("T")
_PIECE_BYTES = 1 << 20


def check_key(key: str) -> None:
    """Raises Rejected for a key that minio-py would not send; what else it finds fault with is no message's."""
    if not key or {".", ".."} & set(key.split("/")):
        raise Rejected(Code.REQUEST_INVALID, f"no object can have the key {key[:80]!r}")


def etag_of(value: str | None) -> str:
    """Without its quotes. Raises StoreUnavailable where there is none: then no object store has answered."""
    if not value:
        raise StoreUnavailable("object storage gave no proper answer (no etag)")
    return value.strip('"')


def read_piece(response: Any, most_bytes: int) -> bytes:
    """What comes next, as it lies in the store; nothing at the end."""
    piece: bytes = response.read(most_bytes, decode_content=False)
    return piece


def read_document(response: Any, most_bytes: int) -> bytes:
    """All of an object that is small. Raises Rejected(OBJECT_TOO_LARGE) once more has come than that."""
    data = bytearray()
    while len(data) <= most_bytes and (piece := read_piece(response, min(most_bytes + 1 - len(data), _PIECE_BYTES))):
        data += piece
    if len(data) > most_bytes:
        raise Rejected(Code.OBJECT_TOO_LARGE, f"more than {most_bytes} bytes: no such document is the service's")
    return bytes(data)


def ask(bucket: str, request: Callable[[], T]) -> T | None:
    """The answer, or None for "there is no such thing"; the vendor's errors become those of core.errors."""
    try:
        return request()
    except Refused as refused:
        first = refused.__context__
        # That what was begun could not be tidied up is not the answer.
        answer = first if refused.method == "DELETE" and isinstance(first, Refused) else refused
        if error := error_of(answer, bucket):
            raise error from refused
        return None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        reason = reason_of(error)
        told = f"MINIO_ENDPOINT, MINIO_SECURE: object storage can't be reached ({reason})"
        raise (StoreRefusal if is_of_a_certificate(reason) else StoreUnavailable)(told) from error
    except (MinioException, ValueError, SyntaxError, AttributeError) as error:  # of what can't be read
        raise StoreUnavailable(f"object storage gave no proper answer ({type(error).__name__})") from error


def write_file(chunks: Iterable[bytes], size_bytes: int, path: Path, cancel: Cancellation) -> str:
    """Write exactly so many bytes to a file, and never more; returns their sha256, lower-case hex."""
    digest, written = hashlib.sha256(), 0
    with path.open("wb") as out:
        for chunk in chunks:
            cancel.check()
            written += len(chunk)
            if written > size_bytes:
                raise StoreUnavailable(f"more bytes came than the {size_bytes} that were announced")
            digest.update(chunk)
            out.write(chunk)
    if written != size_bytes:
        raise StoreUnavailable(f"the connection ended after {written} of {size_bytes} bytes")
    return digest.hexdigest()
