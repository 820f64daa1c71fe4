"""What it means that the store did not do what it was asked for.

Only a short list of answers is the message's fault, or tells that a thing is not there; and they count only as S3's own
words, with the status that goes with them. Everything else, known or not, is the world's: quotas, limits, proxies on
the way, what later versions will say.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto

from consumer.core.errors import Code, Rejected, StoreBusy, StoreMisconfigured, StoreUnavailable

CREDENTIALS = ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")
# What is said of a session token that is not right, or no longer.
_OF_TOKENS = frozenset({"ExpiredToken", "InvalidToken", "InvalidTokenId"})
_WRONG_REGION = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect"})
_MAX_RETRY_AFTER_S = 60.0  # a store may ask for more than anyone wants to wait without looking again

_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NoSuchObject"})
# Keys that no store takes, or not beside what lies there already; an object that was sent to an archive.
_IMPROPER = frozenset(
    {"InvalidObjectName", "InvalidObjectState", "KeyTooLong", "KeyTooLongError", "XMinioInvalidObjectName",
     "XMinioInvalidResourceName", "XMinioObjectExistsAsDirectory", "XMinioParentIsObject"}
)  # fmt: skip
# What a version id can be that no store understands; without a version id it is not about the message.
_IMPROPER_VERSION = frozenset({"InvalidArgument"})
_UNKNOWN_CREDENTIALS = frozenset(
    {"AuthorizationHeaderMalformed", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "InvalidTokenId",
     "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)  # fmt: skip
# Requests name only buckets that settings allow, so that what is refused is these credentials' right to them.
_DENIED = frozenset({"AccessDenied", "AccountProblem", "AllAccessDisabled"})
_BUSY = frozenset({"ServerBusy", "SlowDown", "SlowDownRead", "SlowDownWrite", "TooManyRequests"})


class Answer(Enum):
    """What is to be done about an answer that is not the one that was asked for."""

    MISSING = auto()
    """There is no such thing."""
    UNMET = auto()
    """A condition of the request was not met."""
    IMPROPER = auto()
    """The message's fault."""
    UNKNOWN_CREDENTIALS = auto()
    DENIED = auto()
    BUSY = auto()
    """Too many requests: later, and not as many."""
    TROUBLE = auto()
    """Anything else."""


class Refused(Exception):
    """The store, or what stands before it, answered with an error.

    code: S3's word for it, "" where the answer has none, as that to a HEAD request. names_version: whether the request
    named a version of the object. region: the bucket's, where the answer tells it. action: what a policy has to allow
    for the request, "" where that is not known.
    """

    def __init__(
        self,
        status: int,
        code: str,
        *,
        method: str = "GET",
        names_version: bool = False,
        headers: Mapping[str, str] | None = None,
        region: str | None = None,
    ) -> None:
        super().__init__(code or f"HTTP status {status}")
        self.region, self.action = region, ""
        self.status, self.code, self.method, self.names_version = status, code, method, names_version
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}

    @property
    def meaning(self) -> Answer:
        if self.status == 404 and self.code in _MISSING:
            return Answer.MISSING
        if self.status == 405 and self._headers.get("x-amz-delete-marker") == "true":
            return Answer.MISSING  # the version that was asked for says that the object was deleted
        if self.status == 412 and self.code in ("PreconditionFailed", ""):  # to a HEAD request without a word
            return Answer.UNMET
        if 400 <= self.status < 500:
            if self.code in _IMPROPER or (self.names_version and self.code in _IMPROPER_VERSION):
                return Answer.IMPROPER
            if self.code in _UNKNOWN_CREDENTIALS:
                return Answer.UNKNOWN_CREDENTIALS
            if self.code in _DENIED:
                return Answer.DENIED
        if self.code in _BUSY or self.status in (429, 503):
            return Answer.BUSY
        return Answer.TROUBLE

    @property
    def retry_after_s(self) -> float | None:
        """Seconds that the store asks to wait; None where it names none, or names a date."""
        value = self._headers.get("retry-after", "")
        return min(float(value), _MAX_RETRY_AFTER_S) if re.fullmatch(r"\d{1,9}", value) else None


class Unmet(StoreUnavailable):
    """A condition of the request was not met; where the request had none, that is no proper answer."""


class Denied(StoreMisconfigured):
    """The store knows these credentials, or does not say, and gives them no right to what was asked for."""


def lacking(refused: Refused) -> str:
    """What is said of the right that is missing, behind the bucket's name."""
    return f": this key has no right to {refused.action} there" if refused.action else ""


def error_of(refused: Refused, bucket: str) -> Exception | None:
    """The error that an answer about `bucket` comes to, such as Unmet; None for "there is no such thing"."""
    told = f"object storage answered {refused}"
    match refused.meaning:
        case Answer.MISSING:
            return None
        case Answer.UNMET:
            return Unmet(told)
        case Answer.IMPROPER:
            return Rejected(Code.REQUEST_INVALID, told)
        case Answer.UNKNOWN_CREDENTIALS if refused.region and refused.code in _WRONG_REGION:
            return StoreMisconfigured(f"MINIO_REGION: {told}; its region is {refused.region}")
        case Answer.UNKNOWN_CREDENTIALS:
            variables = (*CREDENTIALS, "MINIO_SESSION_TOKEN") if refused.code in _OF_TOKENS else CREDENTIALS
            return StoreMisconfigured(f"{', '.join(variables)}: {told}")
        case Answer.DENIED:
            return Denied(f"{', '.join(CREDENTIALS)}: {told} for {bucket}{lacking(refused)}")
        case Answer.BUSY:
            return StoreBusy(told, retry_after_s=refused.retry_after_s)
        case Answer.TROUBLE:
            return StoreUnavailable(told)
