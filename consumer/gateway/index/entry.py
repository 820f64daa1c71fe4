"""A job as the index knows it, and how each event changes that. Pure: the order of topics does not matter."""

from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

FORGOTTEN = "forgotten"  # in place of a payload's digest, which is hex


class JobState(StrEnum):
    """Where a job is; the last three are its end."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is expected of it."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it was read. Times are milliseconds since 1970.

    fingerprint: of what was asked for; payload: of that and all else that the sender chose. partition and offset: where
    it was first written, which outcomes refer to. duration_s: of the span that is asked for; None: all of the file.
    """

    request_id: str
    tenant: str | None
    fingerprint: str
    payload: str
    document: bytes
    partition: int
    offset: int
    at_ms: int
    model: str = ""
    duration_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An outcome as it was read.

    tenant and fingerprint: of its request, None where the outcome does not tell. partition and offset: those of the
    request's record, -1 where that is not told.
    """

    request_id: str
    state: JobState
    tenant: str | None
    fingerprint: str | None
    document: bytes
    partition: int
    offset: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEntry:
    """A row of the index. Documents are JSON, as they are shown; None where that was not read (yet).

    accepted_ms: when the request was written, or ended where only that is known. has_request: whether the request was
    read; until then nobody is shown what can't be told whose it is.
    """

    request_id: str
    tenant: str | None
    state: JobState
    fingerprint: str | None
    payload: str | None
    request: bytes | None
    outcome: bytes | None
    accepted_ms: int
    changed_ms: int
    partition: int
    offset: int

    @classmethod
    def of_request(cls, asked: Asked) -> "JobEntry":
        """What is known once the request alone was read."""
        return cls(
            request_id=asked.request_id,
            tenant=asked.tenant,
            state=JobState.QUEUED,
            fingerprint=asked.fingerprint,
            payload=asked.payload,
            request=asked.document,
            outcome=None,
            accepted_ms=asked.at_ms,
            changed_ms=asked.at_ms,
            partition=asked.partition,
            offset=asked.offset,
        )

    @classmethod
    def of_outcome(cls, ended: Ended) -> "JobEntry":
        """What is known once the outcome alone was read."""
        return cls(
            request_id=ended.request_id,
            tenant=ended.tenant,
            state=ended.state,
            fingerprint=ended.fingerprint,
            payload=None,
            request=None,
            outcome=ended.document,
            accepted_ms=ended.at_ms,
            changed_ms=ended.at_ms,
            partition=ended.partition,
            offset=ended.offset,
        )

    @property
    def is_forgotten(self) -> bool:
        """Whether nobody is to be shown anything of it."""
        return self.payload == FORGOTTEN

    def forgotten(self) -> "JobEntry":
        """What is known of it goes, but for whether it has ended, and where something of it may still lie."""
        asked = msgspec.json.decode(self.request) if self.request else {}
        made = msgspec.json.decode(self.outcome) if self.outcome else {}
        left = {name: asked[name] for name in ("source", "model", "output", "stems") if name in asked}
        if stems := made.get("stems"):
            left["stems"] = [{"bucket": stem["bucket"], "key": stem["key"]} for stem in stems]
        return replace(self, payload=FORGOTTEN, request=msgspec.json.encode(left), outcome=None)

    def asked_again(self, asked: Asked) -> "JobEntry":
        """The request was read, for the first time or again.

        The first owns the id: another under it changes nothing. One that failed and is asked for once more, by the
        same words, is queued again; what succeeded stays so for ever.
        """
        if self.is_forgotten:
            return self
        if self.request is None and self.fingerprint in (None, asked.fingerprint):
            return self._with_request(asked)
        if asked.fingerprint != self.fingerprint or asked.tenant != self.tenant:
            return self
        if self.state in (JobState.FAILED, JobState.CANCELLED) and self._is_behind(asked):
            return replace(self._with_request(asked), state=JobState.QUEUED, outcome=None, changed_ms=asked.at_ms)
        if not self.state.has_ended and asked.partition == self.partition and asked.offset > self.offset:
            # It has an outcome of its own to come: what the one before failed at is not the end.
            return replace(self, offset=asked.offset)
        return self

    def ended(self, ended: Ended) -> "JobEntry":
        """An outcome was read. A failure changes nothing of what has succeeded, nor does that of other words."""
        if self.state is JobState.SUCCEEDED:
            return self
        is_failure = ended.state is not JobState.SUCCEEDED
        if is_failure and None not in (ended.fingerprint, self.fingerprint) and ended.fingerprint != self.fingerprint:
            return self
        if is_failure and self._is_of_an_earlier_try(ended):
            return self
        return replace(self, state=ended.state, outcome=ended.document, changed_ms=ended.at_ms)

    def _with_request(self, asked: Asked) -> "JobEntry":
        return replace(
            self,
            tenant=asked.tenant,
            fingerprint=asked.fingerprint,
            payload=asked.payload,
            request=asked.document,
            accepted_ms=asked.at_ms,
            partition=asked.partition,
            offset=asked.offset,
        )

    def _is_behind(self, asked: Asked) -> bool:
        """Whether this request was written after the one that this entry's end belongs to."""
        if asked.partition == self.partition:
            return asked.offset > self.offset
        return asked.at_ms > self.changed_ms

    def _is_of_an_earlier_try(self, ended: Ended) -> bool:
        return ended.partition == self.partition and 0 <= ended.offset < self.offset
