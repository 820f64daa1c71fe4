"""Every way in which a job can fail, by whose fault it is; that alone decides what happens next.

ConsumerError
├── Rejected              the message's fault: a dead letter now, with a stable code
│   └── NotOurs               what stands in its place was written by somebody else
├── Transient             the world's fault: tried again by rule, then through the retry topics
│   ├── StoreUnavailable      object storage did not answer, or said that it can't now
│   │   ├── StoreBusy             it has too many requests, and may say when to come back
│   │   ├── StoreMisconfigured    it answers, but not to these credentials: fatal at the start
│   │   │   └── BucketUnusable        there is no such bucket, or it is not ours to use
│   │   └── StoreRefusal          its certificate is nobody's that we trust: fatal at the start
│   ├── RegistryUnavailable   the schema registry
│   │   ├── RegistryMisconfigured  it answers, but lacks our schemas: fatal at the start
│   │   └── RegistryRefusal       it does not know us, or we don't trust it: fatal at the start
│   ├── ScannerUnavailable    the malware scanner
│   │   └── ScannerMisconfigured  it answers, but takes no files as large as ours: fatal at the start
│   ├── ScratchUnavailable    this machine has no room for a track, or no file descriptor
│   └── ModelSourceUnavailable  where weights come from
├── WorkerCrashed         the separator process, or its ffmpeg, was killed under this job: three starts in all
├── Cancelled             nobody wants the job any more: it ends without, or with a given, outcome
├── OwnershipLost         the partition is another replica's now: nothing may be published
├── ProducerFenced        the transactional producer is dead for good: a new one takes over
├── BrokerUnavailable     Kafka did not answer: wait and do the same again
│   ├── BrokerRefusal         it does not know us, or we don't trust it: fatal at the start
│   └── TopicUnavailable      one topic takes nothing of ours; others may
│       └── AuditUnavailable      it is the audit topic, and nothing is to be done without it
└── Fatal                 ours: stop, commit nothing, one line on stderr
    └── SettingsError         names the variable
"""

import errno
from collections.abc import Sequence
from enum import StrEnum


class Code(StrEnum):
    """Dead-letter codes. Stable: consumers of the dead-letter topic branch on them."""

    AVRO_UNDECODABLE = "AVRO_UNDECODABLE"
    SCHEMA_UNKNOWN = "SCHEMA_UNKNOWN"
    REQUEST_INVALID = "REQUEST_INVALID"
    BUCKET_NOT_ALLOWED = "BUCKET_NOT_ALLOWED"
    OBJECT_NOT_FOUND = "OBJECT_NOT_FOUND"
    OBJECT_CHANGED = "OBJECT_CHANGED"
    OBJECT_TOO_LARGE = "OBJECT_TOO_LARGE"
    FORMAT_NOT_ALLOWED = "FORMAT_NOT_ALLOWED"
    AUDIO_UNDECODABLE = "AUDIO_UNDECODABLE"
    AUDIO_EMPTY = "AUDIO_EMPTY"
    AUDIO_TOO_LONG = "AUDIO_TOO_LONG"
    OFFSET_PAST_END = "OFFSET_PAST_END"
    MALWARE_FOUND = "MALWARE_FOUND"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    SEPARATION_FAILED = "SEPARATION_FAILED"
    WORKER_CRASHED = "WORKER_CRASHED"
    RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"


# Codes that say more about this deployment than about the message: a run of them stops the consumer.
UNEXPECTED = frozenset({Code.SEPARATION_FAILED, Code.WORKER_CRASHED, Code.RETRIES_EXHAUSTED})


class ConsumerError(Exception):
    """Root of everything this package raises on purpose."""


class Rejected(ConsumerError):
    """The message can never succeed as it is."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def request_id_used_before() -> Rejected:
    """Of two different requests under one id the second can't be answered: its stems would lie where others do."""
    return Rejected(Code.REQUEST_INVALID, "request_id was used before, for another request")


class NotOurs(Rejected):
    """What stands where the service would write, or read, was not written by it: neither believed nor replaced."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.REQUEST_INVALID, message)


def not_ours(key: str) -> NotOurs:
    """Of what stands under that key."""
    return NotOurs(f"what stands at {key[:200]!r} was not written by this service")


class Refusal:
    """Beside Transient or BrokerUnavailable: the other side is there, and does not let us in, or is not whom we trust.

    Waiting hardly mends that: a replica that starts ends with it. One that runs waits: what was exchanged on one side
    may not yet be on the other.
    """


class Transient(ConsumerError):
    """May well succeed later, unchanged."""


class StoreUnavailable(Transient):
    """Object storage did not answer, or said that it can not now; what was asked for may have been done."""


class StoreBusy(StoreUnavailable):
    """Object storage has more requests than it takes; `retry_after_s` is how long it asks us to wait, if it does."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreMisconfigured(StoreUnavailable):
    """The message names the variables of the store that may be wrong, if there are any."""


class BucketUnusable(StoreMisconfigured):
    """There is no such bucket, or the credentials give no right to it.

    `variables` are those of the store that may be to blame, such as its credentials. The store does not know which
    setting named the bucket; whoever does adds it by `named_by`.
    """

    def __init__(self, reason: str, *, variables: Sequence[str] = ()) -> None:
        super().__init__(f"{', '.join(variables)}: {reason}" if variables else reason)
        self.reason, self.variables = reason, tuple(variables)

    def named_by(self, variable: str) -> "BucketUnusable":
        """The same error, with the variable that named the bucket before its reason."""
        return BucketUnusable(self.reason, variables=(*self.variables, variable))


class StoreRefusal(StoreUnavailable, Refusal):
    """Its certificate is signed by nobody that we trust."""


class RegistryUnavailable(Transient):
    """The schema registry did not answer, or not properly."""


class RegistryRefusal(RegistryUnavailable, Refusal):
    """It does not know the user that its address names, or is signed by nobody that we trust."""


class RegistryMisconfigured(RegistryUnavailable):
    """A schema that is written with is not there and may not, or can't, be registered; the message says which."""


class ScannerUnavailable(Transient):
    """The malware scanner did not say what was asked of it."""


class ScannerMisconfigured(ScannerUnavailable):
    """The message names the variable."""


class ScratchUnavailable(Transient):
    """This machine can't take a track: its scratch space is full or gone, or no file descriptor is left."""

    @classmethod
    def of(cls, error: OSError) -> "ScratchUnavailable":
        """Of what a file in scratch space met; names the setting or the limit that is to be looked at."""
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return cls("no file descriptor is left on this machine (ulimit -n)")
        return cls(f"SCRATCH_DIR: {error.strerror or type(error).__name__}")


class ModelSourceUnavailable(Transient):
    """A place that weights come from could not be asked."""


class WorkerCrashed(ConsumerError):
    """The separator process, or its ffmpeg, ended under a job without an answer."""


class Cancelled(ConsumerError):
    """Raised inside a step when its job was cancelled; `rejection` is what it ends as, None for nothing at all."""

    def __init__(self, reason: str, rejection: Rejected | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rejection = rejection


class OwnershipLost(ConsumerError):
    """A partition is another replica's now: nothing of it may be published, and nothing was."""


class ProducerFenced(ConsumerError):
    """The transactional producer is dead, and what became of its last transaction is to be looked up."""


class BrokerUnavailable(ConsumerError):
    """Kafka did not answer; the same may be tried again."""


class BrokerRefusal(BrokerUnavailable, Refusal):
    """Brokers refuse the user, certificate or token that we come with, or are signed by nobody that we trust."""


class TopicUnavailable(BrokerUnavailable):
    """A topic does not take what is for it: the message names it. What goes to other topics may be tried without it."""


class AuditUnavailable(TopicUnavailable):
    """What is to be audited can't be, and AUDIT_REQUIRED says that it must: it is not to be done now."""


class Fatal(ConsumerError):
    """Nothing that another message or another try would mend: the process ends with this line."""


class SettingsError(Fatal):
    """A setting is missing or can't be used. `variables` are the environment variables to look at."""

    def __init__(self, message: str, *, variables: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.variables = tuple(variables)

    @classmethod
    def of(cls, errors: "Sequence[SettingsError]") -> "SettingsError | None":
        """All of these as one, on one line; None where there are none."""
        if not errors:
            return None
        variables = [name for error in errors for name in error.variables]
        return cls("; ".join(map(str, errors)), variables=variables)
