"""Every action of the audit trail, once: its dotted name, which searches and alerts rely on, and what it tells.

Who writes which of them stands beside it. An event says who did what, when, and what came of it; it never holds a
secret, a payload, an object's key or a sender's own words.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Self

from consumer.core.errors import Code


class AuditOutcome(StrEnum):
    """What came of it."""

    SUCCESS = "success"
    """It was done."""
    DENIED = "denied"
    """A rule, a limit or a missing right forbade it."""
    FAILURE = "failure"
    """It was allowed, and did not succeed."""


class Activity(IntEnum):
    """What kind of act it is, as `activity_id` of OCSF's API Activity tells it."""

    CREATE = 1
    READ = 2
    UPDATE = 3
    DELETE = 4
    OTHER = 99


class AuditAction(StrEnum):
    """A name, who writes it, the kind of act that it is, and what it means."""

    writer: str
    activity: Activity
    meaning: str

    def __new__(cls, name: str, writer: str, activity: Activity, meaning: str) -> Self:
        action = str.__new__(cls, name)
        action._value_ = name
        action.writer, action.activity, action.meaning = writer, activity, meaning
        return action

    SEPARATION_COMPLETED = (
        "separation.completed", "consumer", Activity.CREATE, "a request was accepted and has its result"
    )  # fmt: skip
    SEPARATION_REFUSED = (
        "separation.refused", "consumer", Activity.CREATE, "what was sent is no request that may be worked on"
    )  # fmt: skip
    BUCKET_NOT_ALLOWED = (
        "separation.bucket_not_allowed", "consumer", Activity.CREATE, "a request names a bucket that it may not use"
    )  # fmt: skip
    LIMIT_EXCEEDED = (
        "separation.limit_exceeded", "consumer", Activity.CREATE, "an object is too large, or its audio too long"
    )  # fmt: skip
    MALWARE_FOUND = (
        "separation.malware_found", "consumer", Activity.CREATE, "the scanner found malware in an object"
    )  # fmt: skip
    SEPARATION_CANCELLED = (
        "separation.cancelled", "consumer", Activity.UPDATE, "a request ended because it was cancelled"
    )  # fmt: skip
    SEPARATION_FAILED = (
        "separation.failed", "consumer", Activity.CREATE, "a request was allowed, and did not come to a result"
    )  # fmt: skip

    SEPARATION_REQUESTED = (
        "separation.requested", "gateway", Activity.CREATE, "a request was taken, or refused, at the door"
    )  # fmt: skip
    CANCEL_REQUESTED = (
        "separation.cancel_requested", "gateway, command", Activity.UPDATE, "somebody asked to cancel a request"
    )  # fmt: skip
    FORGET_REQUESTED = (
        "separation.forget_requested", "gateway, command", Activity.DELETE, "somebody asked to forget a request"
    )  # fmt: skip
    SEPARATION_FORGOTTEN = (
        "separation.forgotten", "gateway, command", Activity.DELETE, "what was kept of a request is gone"
    )  # fmt: skip
    LINK_ISSUED = (
        "link.issued", "gateway", Activity.READ, "a link to an object, or the object itself, was given out"
    )  # fmt: skip
    UPLOAD_REQUESTED = (
        "upload.requested", "gateway", Activity.CREATE, "somebody may upload a file, or may not"
    )  # fmt: skip
    UPLOAD_COMPLETED = (
        "upload.completed", "gateway", Activity.UPDATE, "an upload of parts was put together, or refused"
    )  # fmt: skip
    UPLOAD_REMOVED = (
        "upload.removed", "gateway", Activity.DELETE, "somebody asked to remove an upload and its file"
    )  # fmt: skip
    KEY_USED = (
        "key.used", "gateway", Activity.OTHER, "somebody came with a key or a token that is valid"
    )  # fmt: skip
    KEY_REFUSED = (
        "key.refused", "gateway", Activity.OTHER, "somebody came without a valid key or token, or one without the scope"
    )  # fmt: skip
    RATE_LIMITED = (
        "rate_limit.exceeded", "gateway", Activity.OTHER, "somebody asked too often, or for too much at once"
    )  # fmt: skip
    KEY_CREATED = "key.created", "command", Activity.CREATE, "a key was made"
    KEY_REVOKED = "key.revoked", "command", Activity.DELETE, "a key was revoked"
    DEAD_LETTER_SHOWN = (
        "dead_letter.shown", "gateway", Activity.READ, "a dead letter's record was shown, or what a replay would send"
    )  # fmt: skip
    DEAD_LETTER_REPLAYED = (
        "dead_letter.replayed", "gateway, command", Activity.CREATE, "a dead letter's record was sent again"
    )  # fmt: skip


# What a dead letter says of its request. Refused is what a rule forbids; what could not be done has failed.
OF_CODE: Mapping[Code, tuple[AuditAction, AuditOutcome]] = {
    Code.AVRO_UNDECODABLE: (AuditAction.SEPARATION_REFUSED, AuditOutcome.DENIED),
    Code.SCHEMA_UNKNOWN: (AuditAction.SEPARATION_REFUSED, AuditOutcome.DENIED),
    Code.REQUEST_INVALID: (AuditAction.SEPARATION_REFUSED, AuditOutcome.DENIED),
    Code.FORMAT_NOT_ALLOWED: (AuditAction.SEPARATION_REFUSED, AuditOutcome.DENIED),
    Code.BUCKET_NOT_ALLOWED: (AuditAction.BUCKET_NOT_ALLOWED, AuditOutcome.DENIED),
    Code.OBJECT_TOO_LARGE: (AuditAction.LIMIT_EXCEEDED, AuditOutcome.DENIED),
    Code.AUDIO_TOO_LONG: (AuditAction.LIMIT_EXCEEDED, AuditOutcome.DENIED),
    Code.MALWARE_FOUND: (AuditAction.MALWARE_FOUND, AuditOutcome.DENIED),
    Code.CANCELLED: (AuditAction.SEPARATION_CANCELLED, AuditOutcome.SUCCESS),
    Code.OBJECT_NOT_FOUND: (AuditAction.SEPARATION_FAILED, AuditOutcome.FAILURE),
    Code.OBJECT_CHANGED: (AuditAction.SEPARATION_FAILED, AuditOutcome.FAILURE),
    Code.AUDIO_UNDECODABLE: (AuditAction.SEPARATION_FAILED, AuditOutcome.FAILURE),
    Code.AUDIO_EMPTY: (AuditAction.SEPARATION_FAILED, AuditOutcome.FAILURE),
    Code.OFFSET_PAST_END: (AuditAction.SEPARATION_FAILED, AuditOutcome.FAILURE),
    Code.MODEL_UNAVAILABLE: (AuditAction.SEPARATION_FAILED, AuditOutcome.FAILURE),
    Code.SEPARATION_FAILED: (AuditAction.SEPARATION_FAILED, AuditOutcome.FAILURE),
    Code.WORKER_CRASHED: (AuditAction.SEPARATION_FAILED, AuditOutcome.FAILURE),
    Code.RETRIES_EXHAUSTED: (AuditAction.SEPARATION_FAILED, AuditOutcome.FAILURE),
    Code.DEADLINE_EXCEEDED: (AuditAction.SEPARATION_FAILED, AuditOutcome.FAILURE),
}
