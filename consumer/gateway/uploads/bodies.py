"""What is sent and answered about uploads of parts, as OpenAPI shows it."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from consumer.gateway.bodies import Body, Options

_SHA256 = r"^[0-9a-f]{64}$"


class UploadBody(Body):
    """A file that is to come part by part."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"size_bytes": 104_857_600}]})

    size_bytes: Annotated[int, Field(ge=1)]
    sha256: Annotated[str | None, Field(pattern=_SHA256, description="of the whole file; checked in the end")] = None


class UploadPart(BaseModel):
    """Where a part goes: its bytes and nothing else, by PUT."""

    number: Annotated[int, Field(ge=1, description="its place in the file")]
    size_bytes: Annotated[int, Field(ge=1, description="exactly so many")]
    url: Annotated[str, Field(description="signed, for object storage; or without a host: of this API, with a key")]


class Upload(BaseModel):
    """An upload and the parts that it is made of, in their order."""

    upload_id: str
    size_bytes: int
    parts: list[UploadPart]
    expires_at: Annotated[datetime, Field(description="until when it can be completed")]


class CompletedUpload(BaseModel):
    """A file that is whole, and may be named as the `source` of separations."""

    upload_id: str
    size_bytes: int
    sha256: Annotated[str | None, Field(description="where it was told at the start, and is right")]


class FileForm(BaseModel):
    """`request`, then `file`."""

    request: Options
    file: Annotated[bytes, Field(json_schema_extra={"contentMediaType": "application/octet-stream"})]
