"""For platform code that reaches the service by HTTP alone: send requests, wait for their outcomes, list them."""

from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, Concatenate, ParamSpec, Self

from consumer.client.http.calls import GatewayCalls
from consumer.client.http.connection import LIMITS, Connection
from consumer.client.http.credentials import Credentials
from consumer.client.http.environment import gateway_from_env
from consumer.client.http.job import AsyncHttpJob, HttpJob
from consumer.client.http.patience import Patience, Pause
from consumer.client.http.thread_wire import ThreadWire, each, run
from consumer.core.clock import SYSTEM_CLOCK, Clock

TIMEOUT_S = 30.0  # how long the gateway may be silent
P = ParamSpec("P")


def _in_this_thread(
    call: Callable[Concatenate[GatewayCalls, P], Coroutine[Any, Any, AsyncHttpJob]],
) -> Callable[Concatenate["HttpClient", P], HttpJob]:
    """The same for who stands still until it is done."""

    def ask(self: "HttpClient", /, *args: P.args, **kwargs: P.kwargs) -> HttpJob:
        return HttpJob(run(call(self._calls, *args, **kwargs)))

    ask.__name__, ask.__doc__ = call.__name__, call.__doc__
    return ask


class HttpClient:
    """Thread-safe; one for the whole life of a process. Close it, or leave it as a context manager.

    It holds one pool of connections, and nothing else. What may pass is tried again, as `patience` has it. Every method
    that asks the gateway raises GatewayUnavailable where it does not do what is asked, AccessDenied where the key is
    none or lacks a right, RequestRefused for what it refuses whoever asks, and ClientClosed. timeout_s: how long it may
    be silent. pause: waits so many seconds; a wait that is not handed in ends when the client is closed.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        timeout_s: float = TIMEOUT_S,
        clock: Clock = SYSTEM_CLOCK,
        pause: Pause | None = None,
    ) -> None:
        wire = ThreadWire(timeout_s=timeout_s, limits=LIMITS, pause=pause)
        self._connection = Connection(url, credentials, wire, patience=patience, timeout_s=timeout_s, clock=clock)
        self._calls = GatewayCalls(self._connection)

    @classmethod
    def from_env(cls) -> Self:
        """One that is configured by SPLEETER_API_URL and SPLEETER_API_KEY, or SPLEETER_API_KEY_FILE, which is followed.

        Of several keys the first is used. Raises SettingsError, which names the variable.
        """
        return cls(*gateway_from_env())

    separate = _in_this_thread(GatewayCalls.separate)
    job = _in_this_thread(GatewayCalls.job)

    def cancel(self, request_id: str) -> None:
        """Ask that a request be stopped, or not begun; returns when the brokers have that wish.

        The request then ends as a dead letter CANCELLED, unless it is done already.
        """
        run(self._calls.cancel(request_id))

    def jobs(self, *, state: str | None = None, ids: Iterable[str] | None = None) -> Iterator[HttpJob]:
        """The tenant's jobs, the latest first, page by page as they are wanted: all of them, or those of one state.

        state: queued, running, succeeded, failed or cancelled. ids: these alone, in their order; those that are not the
        tenant's are left out.
        """
        return map(HttpJob, each(self._calls.jobs(state=state, ids=ids)))

    def close(self) -> None:
        """End all connections. Whoever still waits for a job gets ClientClosed, within half a minute.

        Closing twice does nothing.
        """
        run(self._connection.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
