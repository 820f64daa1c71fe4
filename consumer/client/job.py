"""A job under way, as whoever asked for it holds it."""

import concurrent.futures
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from consumer.client.errors import SeparationFailed, WaitTimeout
from consumer.client.files import Files
from consumer.client.limits import RESULT_S
from consumer.client.outcomes import Outcome, PendingJob
from consumer.client.promise import Promise
from consumer.client.sender import Position
from consumer.core.errors import ConsumerError
from consumer.core.events import DeadLetter, SeparationProgress, SeparationResult

T = TypeVar("T")


class Job:
    """Thread-safe. Made by `Client.separate`, `Client.submit` and `Client.job`.

    Its client listens for its outcome for as long as somebody holds it, or waits for it; a job that is dropped goes on
    in the service all the same.
    """

    def __init__(
        self,
        pending: PendingJob,
        sent: Promise[Position] | None,
        *,
        cancel: Callable[[str, str | None], None],
        files: Callable[[], Files],
    ) -> None:
        self._pending, self._sent = pending, sent
        self._cancel, self._files = cancel, files

    @property
    def request_id(self) -> str:
        """The request's id: `Client.job` takes it up again by this, in another process too."""
        return self._pending.request_id

    def sent(self, timeout_s: float = 30.0) -> Position | None:
        """Where the request lies in Kafka, once the brokers have it: its partition and its offset there.

        None for a job that was taken up by its id. Raises BrokerUnavailable, AccessDenied, TopicUnavailable,
        Rejected(REQUEST_INVALID) for a record that is too large, or WaitTimeout.
        """
        return None if self._sent is None else self._within(self._sent.future(), timeout_s)

    def result(self, timeout_s: float = RESULT_S) -> SeparationResult:
        """The result, as soon as there is one.

        Raises SeparationFailed where the job ended as a dead letter, WaitTimeout where nothing was heard of its end
        (the job stands, and may be waited for again), and what `sent` raises where it was never sent.
        """
        outcome = self._within(self.outcome, timeout_s)
        if isinstance(outcome, DeadLetter):
            raise SeparationFailed(outcome)
        return outcome

    def done(self) -> bool:
        """Whether its end is known; `result` then answers at once."""
        return self._pending.is_settled

    def progress(self) -> SeparationProgress | None:
        """How far it is, as it was last heard; None where nothing was. Best effort, at most one a second."""
        return self._pending.progress

    def cancel(self, reason: str | None = None) -> None:
        """Ask that it be stopped, or not begun; it then ends as CANCELLED, unless it is done already.

        Raises BrokerUnavailable, AccessDenied.
        """
        self._cancel(self.request_id, reason)

    def download(self, folder: Path | str, timeout_s: float = RESULT_S) -> dict[str, Path]:
        """Fetch the stems to `folder`, once they are there: <stem>.<extension> each; returns the files by stem.

        Raises as `result`, Rejected(OBJECT_NOT_FOUND, OBJECT_CHANGED) where a stem is no longer what it was,
        StoreUnavailable, OSError, and SettingsError where no object store is configured.
        """
        return self._files().download(self.result(timeout_s).stems, Path(folder))

    @property
    def outcome(self) -> "Future[Outcome]":
        """What it ends as: a SeparationResult or a DeadLetter. For those who wait by other means than threads.

        Each who asks gets a future of its own; to cancel it is to wait no longer, and leaves the job alone.
        """
        return self._pending.future()

    def _within(self, future: "Future[T]", timeout_s: float) -> T:
        try:
            return future.result(timeout_s)
        except concurrent.futures.TimeoutError as error:
            if isinstance(error, ConsumerError):
                raise
            future.cancel()
            told = f"no outcome of {self.request_id} within {timeout_s:g} s"
            raise WaitTimeout(told, request_id=self.request_id) from None
