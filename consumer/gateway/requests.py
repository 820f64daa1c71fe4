"""From what was sent over HTTP to a request, as a replica reads it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from consumer.client.files import UPLOADS
from consumer.core.errors import Code
from consumer.core.events import OutputOptions, SeparationRequest, SourceObject
from consumer.gateway.access.principal import Principal
from consumer.gateway.bodies import ObjectSource, Options
from consumer.gateway.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRules:
    """What may be named. upload_bucket: where uploads lie, which are named by their ids alone."""

    source_buckets: Collection[str]
    upload_bucket: str

    def object(self, source: ObjectSource) -> SourceObject:
        """The object that is named. Raises Problem: 403."""
        is_an_upload = source.bucket == self.upload_bucket and source.key.startswith(UPLOADS)
        if source.bucket not in self.source_buckets or is_an_upload:
            raise Problem(HTTPStatus.FORBIDDEN, Code.BUCKET_NOT_ALLOWED, "this object may not be named as a source")
        return SourceObject(bucket=source.bucket, key=source.key, etag=source.etag)


def build_request(
    options: Options, source: SourceObject, *, request_id: str, principal: Principal
) -> SeparationRequest:
    """What is sent on. Raises Problem: 403 where a tenant wants stems elsewhere than in the tenant's own place."""
    output = options.output
    if principal.tenant is not None and (output.bucket is not None or output.prefix is not None):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            Code.BUCKET_NOT_ALLOWED,
            "output.bucket and output.prefix are not a tenant's to choose",
        )
    return SeparationRequest(
        request_id=request_id,
        source=source,
        model=options.model,
        output=OutputOptions(bucket=output.bucket, prefix=output.prefix, format=output.format, bitrate=output.bitrate),
        start_s=options.start_s,
        duration_s=options.duration_s,
        high_frequencies=options.high_frequencies,
        track=options.track,
        tenant=principal.tenant,
        deadline=None if options.deadline is None else _aware(options.deadline),
        requested_at=datetime.now(UTC),
        metadata=dict(options.metadata),
    )


def _aware(time: datetime) -> datetime:
    """A time without an offset is UTC."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)
