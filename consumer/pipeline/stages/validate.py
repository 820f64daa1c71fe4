"""From what was asked to what may be done. After this every word of the job is known and every bucket allowed."""

import hashlib
import json
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from consumer.core.catalog import FORMATS, HIGH_FREQUENCIES, MODELS, why_not_format
from consumer.core.errors import Code, Rejected
from consumer.core.events import REQUEST_ID, OutputOptions, SeparationRequest, SourceObject
from consumer.core.limits import HIGHEST_TRACK, LONGEST_SPAN_S, SHORTEST_SPAN_S
from consumer.core.model import Job
from consumer.core.output_place import is_anothers_place, output_folder
from consumer.core.tenants import TenantMap

_MAX_KEY_BYTES = 1024  # S3's
_LONGEST_NAME = "x" * 32  # as long as any stem's or the manifest's
_MAX_METADATA_BYTES = 64 * 1024  # it comes back in the result, which has to fit into a record


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    """tenants: which of them may do what where, as it is now; None: all of them whatever is allowed at all."""

    source_buckets: Collection[str]
    output_bucket: str
    output_prefix: str
    further_output_buckets: Collection[str] = ()
    tenants: Callable[[], TenantMap] | None = None

    def __call__(self, request: SeparationRequest) -> Job:
        """Raises Rejected(REQUEST_INVALID, BUCKET_NOT_ALLOWED, DEADLINE_EXCEEDED)."""
        check_request(request)
        if request.source.bucket not in self.source_buckets:
            raise Rejected(Code.BUCKET_NOT_ALLOWED, f"source bucket {request.source.bucket[:80]!r} is not allowed")
        bucket = request.output.bucket or self.output_bucket
        if bucket != self.output_bucket and bucket not in self.further_output_buckets:
            raise Rejected(Code.BUCKET_NOT_ALLOWED, f"output bucket {bucket[:80]!r} is not allowed")
        folder = output_folder(self.output_prefix, request)
        if is_anothers_place(self.output_prefix, request.tenant, folder):
            told = f"output.prefix {(request.output.prefix or '')[:80]!r} lies among other tenants' stems"
            raise Rejected(Code.BUCKET_NOT_ALLOWED, told)
        _check_folder(folder)
        self._check_tenant(request, bucket, folder)
        check_deadline(request)
        return Job(
            request=request,
            output_bucket=bucket,
            output_prefix=folder,
            format=request.output.format,
            bitrate=request.output.bitrate,
            fingerprint=fingerprint_of(request),
            earlier_fingerprint=earlier_fingerprint_of(request),
        )

    def _check_tenant(self, request: SeparationRequest, bucket: str, folder: str) -> None:
        """Its stems may always go to its default place."""
        if self.tenants is None:
            return
        tenants = self.tenants()
        tenants.check_source(request.tenant, request.source)
        if request.output.prefix is not None or bucket != self.output_bucket:
            tenants.check_output(request.tenant, bucket, folder)


def check_request(request: SeparationRequest) -> None:
    """What can be said of a request without knowing a deployment. Raises Rejected(REQUEST_INVALID)."""
    _check_words(request)
    _check_span(request)
    if request.output.prefix is not None:
        _check_folder(output_folder("", request))


def check_deadline(request: SeparationRequest) -> None:
    """Raises Rejected(DEADLINE_EXCEEDED) if nobody waits for the request any more."""
    if request.deadline is not None and datetime.now(UTC) > request.deadline:
        raise deadline_exceeded(request.deadline)


def deadline_exceeded(deadline: datetime) -> Rejected:
    return Rejected(Code.DEADLINE_EXCEEDED, f"its deadline was {deadline.isoformat(timespec='seconds')}")


def _check_words(request: SeparationRequest) -> None:
    if not REQUEST_ID.fullmatch(request.request_id):
        raise _invalid("request_id", request.request_id, "must be 1 to 64 characters of A-Za-z0-9_-")
    if request.model not in MODELS:
        raise _invalid("model", request.model, f"must be one of {', '.join(MODELS)}")
    if request.high_frequencies not in HIGH_FREQUENCIES:
        raise _invalid("high_frequencies", request.high_frequencies, f"must be one of {', '.join(HIGH_FREQUENCIES)}")
    if why := why_not_format(request.output.format):
        raise _invalid("output.format", request.output.format, why)
    bitrate = request.output.bitrate
    if bitrate is not None and (why := FORMATS[request.output.format].why_not_bitrate(bitrate)):
        raise _invalid("output.bitrate", bitrate, why)
    if request.track is not None and not 0 <= request.track <= HIGHEST_TRACK:
        raise _invalid("track", str(request.track), f"must be a number from 0 to {HIGHEST_TRACK}")
    _check_key(request.source.key, "source.key")
    if sum(len(k.encode()) + len(v.encode()) for k, v in request.metadata.items()) > _MAX_METADATA_BYTES:
        raise Rejected(Code.REQUEST_INVALID, f"metadata is larger than {_MAX_METADATA_BYTES} bytes")


def _check_span(request: SeparationRequest) -> None:
    start_s, duration_s = request.start_s, request.duration_s
    if start_s is not None and not 0 <= start_s <= LONGEST_SPAN_S:
        raise _invalid("start_s", str(start_s), f"must be a number of seconds from 0 to {LONGEST_SPAN_S:g}")
    if duration_s is not None and not SHORTEST_SPAN_S <= duration_s <= LONGEST_SPAN_S:
        bounds = f"from {SHORTEST_SPAN_S:g} to {LONGEST_SPAN_S:g}"
        raise _invalid("duration_s", str(duration_s), f"must be a number of seconds {bounds}")


def _check_folder(folder: str) -> None:
    _check_key(f"{folder}{_LONGEST_NAME}", "output.prefix")


def _check_key(key: str, field: str) -> None:
    parts = key.split("/")
    if not key or len(key.encode()) > _MAX_KEY_BYTES or "." in parts or ".." in parts:
        raise _invalid(field, key, "is not a usable object key")
    if any(unicodedata.category(letter) == "Cc" for letter in key):
        raise _invalid(field, key, "holds a control character")
    if key.startswith("/") or "//" in key:
        raise _invalid(field, key, "has an empty path segment")


def _invalid(field: str, value: str, why: str) -> Rejected:
    return Rejected(Code.REQUEST_INVALID, f"{field} {why}, not {value[:80]!r}")


def _fields_of(value: SourceObject | OutputOptions) -> dict[str, object]:
    """As dataclasses.asdict, which takes five times as long: a gateway does this for each request of the whole log."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def fingerprint_of(request: SeparationRequest) -> str:
    """sha256 hex of what was asked for, and for which tenant: the same for the same request, whoever sends it again."""
    asked = _asked_for(request)
    if request.tenant is not None:  # what nobody in particular asked for before there were tenants is still the same
        asked["tenant"] = request.tenant
    return _digest(asked)


def earlier_fingerprint_of(request: SeparationRequest) -> str | None:
    """As it was before it told of the tenant, where it may still be met; None where it may not.

    In a folder of the tenant's own no other tenant's can be met; elsewhere nothing tells whose it was.
    """
    is_its_own = request.tenant is not None and request.output.prefix is None
    return _digest(_asked_for(request)) if is_its_own else None


def _asked_for(request: SeparationRequest) -> dict[str, object]:
    asked: dict[str, object] = {
        "source": _fields_of(request.source),
        "model": request.model,
        "output": _fields_of(request.output),
        "span": [request.start_s, request.duration_s],
        "high_frequencies": request.high_frequencies,
    }
    if request.track is not None:  # what was asked for before there was a choice is still the same
        asked["track"] = request.track
    return asked


def _digest(asked: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
