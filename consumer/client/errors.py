"""What a job can end with for whoever waits for it. What Kafka itself can't do is BrokerUnavailable, as everywhere."""

from consumer.core.errors import Code, ConsumerError
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
    """Kafka knows who we are and says no: the message names the topic or the group."""


class ClientBroken(ConsumerError):
    """Outcomes can't be read any more, for a reason that was not foreseen, which is its `__cause__`.

    The job stands: `Client.job` takes it up again, with a reader of its own.
    """


class ClientClosed(ConsumerError):
    """The client, or its job, was used after it was closed, or waited for while it was."""
