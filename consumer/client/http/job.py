"""A job under way, as whoever asked for it by HTTP holds it."""

from pathlib import Path

from consumer.client.errors import GatewayUnavailable, RequestRefused, SeparationFailed, WaitTimeout
from consumer.client.http.answers import Call, retry_after_s
from consumer.client.http.connection import Connection
from consumer.client.http.documents import JobView, parse
from consumer.client.http.downloads import Downloads
from consumer.client.http.thread_wire import run
from consumer.client.limits import RESULT_S
from consumer.core.events import DeadLetter, SeparationProgress, SeparationResult

_LONGEST_POLL_S = 30  # the gateway waits up to 60; a client that is closed is told within this
_POLL_AGAIN_S = 2.0
_GRACE_S = 2.0  # for an answer that is under way when the time is up


class AsyncHttpJob:
    """Made by `AsyncHttpClient.separate`, `AsyncHttpClient.job` and `AsyncHttpClient.jobs`.

    Nothing is asked of the gateway but by its methods, and nothing once the end is known. position: as HttpJob's.
    """

    def __init__(self, connection: Connection, view: JobView, *, position: str | None = None) -> None:
        self._connection, self._seen, self.position = connection, view, position

    @property
    def request_id(self) -> str:
        """As HttpJob.request_id."""
        return self._seen.id

    async def view(self) -> JobView:
        """As HttpJob.view."""
        return self._seen if self._seen.done else await self._look(self._call())

    async def result(self, timeout_s: float = RESULT_S) -> SeparationResult:
        """As HttpJob.result. Cancelling the task that waits leaves the job alone."""
        outcome = (await self._ended(timeout_s)).outcome()
        if isinstance(outcome, DeadLetter):
            raise SeparationFailed(outcome)
        assert outcome is not None
        return outcome

    async def done(self) -> bool:
        """As HttpJob.done."""
        return (await self.view()).done

    async def progress(self) -> SeparationProgress | None:
        """As HttpJob.progress."""
        return (await self.view()).latest()

    async def cancel(self) -> None:
        """As HttpJob.cancel."""
        await cancel(self._connection, self.request_id)

    async def download(self, folder: Path | str, timeout_s: float = RESULT_S) -> dict[str, Path]:
        """As HttpJob.download. Cancelling the task leaves no part of a file behind."""
        result = await self.result(timeout_s)
        return await Downloads(self._connection).fetch(self.request_id, result.stems, Path(folder))

    async def _ended(self, timeout_s: float) -> JobView:
        clock = self._connection.clock
        until = clock.monotonic() + timeout_s
        seen = self._seen
        while not seen.done:
            begun = clock.monotonic()
            try:
                seen, again_s = await self._poll(max(0.0, until - begun), until)
            except GatewayUnavailable as trouble:
                if not trouble.may_pass:
                    raise
                await self._connection.pause(max(0.0, until - clock.monotonic()))
                raise self._timeout(timeout_s) from trouble
            if seen.done:
                break
            if (left_s := until - clock.monotonic()) <= 0:
                raise self._timeout(timeout_s)
            if clock.monotonic() - begun < 1:  # a gateway that does not wait is not asked all the time
                await self._connection.pause(min(left_s, again_s))
        return seen

    async def _poll(self, left_s: float, until: float) -> tuple[JobView, float]:
        """The job, and seconds after which the gateway wants to be asked again."""
        wait_s = int(min(_LONGEST_POLL_S, left_s))
        call = self._call(wait_s=wait_s, within_s=left_s + _GRACE_S)
        answer = await self._connection.ask(call, until=until)
        asked_s = retry_after_s(answer.headers, self._connection.clock.now())
        again_s = _POLL_AGAIN_S if asked_s is None else max(0.1, asked_s)
        return self._note(parse(answer.body, JobView)), again_s

    def _call(self, *, wait_s: int = 0, within_s: float | None = None) -> Call:
        headers = [("Prefer", f"wait={wait_s}")] if wait_s else []
        if self.position is not None:  # also a gateway that has not read so far yet knows the job then
            headers.append(("Separation-Position", self.position))
        most_s = wait_s + self._connection.timeout_s
        return Call(
            method="GET",
            path=path_of(self.request_id),
            headers=tuple(headers),
            within_s=most_s if within_s is None else min(most_s, within_s),
        )

    async def _look(self, call: Call) -> JobView:
        return self._note(parse((await self._connection.ask(call)).body, JobView))

    def _note(self, view: JobView) -> JobView:
        """Of two gateways one may be behind: what has ended has ended."""
        if not self._seen.done:
            self._seen = view
        return self._seen

    def _timeout(self, timeout_s: float) -> WaitTimeout:
        return WaitTimeout(f"no outcome of {self.request_id} within {timeout_s:g} s", request_id=self.request_id)


class HttpJob:
    """Thread-safe. Made by `HttpClient.separate`, `HttpClient.job` and `HttpClient.jobs`.

    Nothing is asked of the gateway but by its methods, and nothing once the end is known.
    """

    def __init__(self, job: AsyncHttpJob) -> None:
        self._job = job

    @property
    def request_id(self) -> str:
        """The request's id: `HttpClient.job` takes it up again by this, in another process too."""
        return self._job.request_id

    @property
    def position(self) -> str | None:
        """Where the request lies in Kafka; None where it was there before."""
        return self._job.position

    def view(self) -> JobView:
        """The job as it is now, with its state, its place in the queue and the time that it will take.

        Raises as `HttpClient`, and RequestRefused(NOT_FOUND) where it is not there any more.
        """
        return run(self._job.view())

    def result(self, timeout_s: float = RESULT_S) -> SeparationResult:
        """The result, as soon as there is one.

        Raises SeparationFailed where the job ended as a dead letter, and WaitTimeout where nothing was heard of its end
        (the job stands, and may be waited for again). A gateway that is away meanwhile is waited for too; why it was,
        WaitTimeout has as its `__cause__`. Else it raises as `view`.
        """
        return run(self._job.result(timeout_s))

    def done(self) -> bool:
        """Whether it has ended; `result` then answers at once. Raises as `view`."""
        return run(self._job.done())

    def progress(self) -> SeparationProgress | None:
        """How far it is; None where nothing is at work on it. Raises as `view`."""
        return run(self._job.progress())

    def cancel(self) -> None:
        """Ask that it be stopped, or not begun; it then ends as CANCELLED, unless it is done already.

        Raises as `view`.
        """
        run(self._job.cancel())

    def download(self, folder: Path | str, timeout_s: float = RESULT_S) -> dict[str, Path]:
        """Fetch the stems to `folder`, once they are there: <stem>.<extension> each; returns the files by stem.

        A download that is cut goes on where it was. Raises as `result`, Rejected(OBJECT_NOT_FOUND, OBJECT_CHANGED)
        where a stem is no longer what it was, OSError.
        """
        return run(self._job.download(folder, timeout_s))


def path_of(request_id: str) -> str:
    """Where a job is asked for. The id has none but letters that may stand there."""
    return f"/v1/separations/{request_id}"


async def cancel(connection: Connection, request_id: str) -> None:
    """As `HttpJob.cancel`."""
    try:
        await connection.ask(Call(method="DELETE", path=path_of(request_id)))
    except RequestRefused as refused:
        if refused.code != "HAS_ENDED":
            raise
