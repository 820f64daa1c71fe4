"""What a job can end with for whoever waits for it. What Kafka itself can't do is BrokerUnavailable, as everywhere."""

from collections.abc import Mapping
from typing import cast

from consumer.core.errors import Code, ConsumerError, Rejected
from consumer.core.events import DeadLetter


class SeparationFailed(ConsumerError):
    """The job has ended, as a dead letter: `code` is its stable reason, `letter` all that is known."""

    def __init__(self, letter: DeadLetter) -> None:
        super().__init__(f"{letter.code}: {letter.message}")
        self.letter = letter

    @property
    def code(self) -> str:
        """One of `consumer.core.errors.Code`; a later version of the service may know more."""
        return self.letter.code

    @property
    def is_cancelled(self) -> bool:
        """Whether it ended because somebody asked for that."""
        return self.letter.code == Code.CANCELLED


class WaitTimeout(ConsumerError, TimeoutError):
    """Nothing is known of the job's end after so long; the job stands, and may be waited for again."""

    def __init__(self, message: str, *, request_id: str) -> None:
        super().__init__(message)
        self.request_id = request_id


class AccessDenied(ConsumerError):
    """Kafka, or the gateway, says no to who we are: the message names the topic, the group, or what the key lacks."""


class ClientBroken(ConsumerError):
    """Outcomes can't be read any more, for a reason that was not foreseen, which is its `__cause__`.

    The job stands: `Client.job` takes it up again, with a reader of its own.
    """


class ClientClosed(ConsumerError):
    """The client, or its job, was used after it was closed, or waited for while it was."""


class RequestRefused(Rejected):
    """The gateway refuses what was asked for, whoever asks and however often.

    code: a dead letter's where a replica would say the same, else the gateway's own, such as IDEMPOTENCY_KEY_REUSED.
    status: HTTP's. fields: what is wrong with each field that can't be used, by its JSON pointer.
    """

    def __init__(self, code: str, message: str, *, status: int, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(cast(Code, code), message)  # a word that Code lacks compares and prints as any other
        self.status, self.fields = status, dict(fields or {})


class GatewayUnavailable(ConsumerError):
    """The gateway did not do what was asked of it, or not as it should; what was asked for may have been done.

    may_pass: whether the same may well succeed later; it was then tried again before this was raised. status: HTTP's,
    None where no answer came. retry_after_s: how long the gateway asks us to wait, if it does. idempotency_key: of the
    request that was not answered; sent again with it, it is the same job in any case.
    """

    def __init__(
        self, message: str, *, may_pass: bool, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.may_pass, self.status, self.retry_after_s = may_pass, status, retry_after_s
        self.idempotency_key: str | None = None
