"""What is to be separated, as whoever asks for it names it."""

from pathlib import Path

from consumer.core.errors import Code, Rejected
from consumer.core.events import SourceObject


def object_of(source: str | Path | SourceObject) -> SourceObject:
    """The object that is named; of a local file the place that it will have is not known yet.

    Raises Rejected(REQUEST_INVALID) for a text that is not "bucket/key".
    """
    if isinstance(source, SourceObject):
        return source
    if isinstance(source, Path):
        return SourceObject(bucket="-", key="-")
    bucket, _, key = source.partition("/")
    if not bucket or not key:
        raise Rejected(Code.REQUEST_INVALID, "source must be BUCKET/KEY, a SourceObject, or a Path of a local file")
    return SourceObject(bucket=bucket, key=key)
