"""Keeps one worker for each endpoint of the file, as the file is now."""

import time
from collections.abc import Mapping

from consumer.core.clock import Clock
from consumer.observability.health import Health
from consumer.webhooks.endpoints import FollowedEndpoints
from consumer.webhooks.worker import EndpointWorker, Tools


class WebhookService:
    """Used by one thread, but for `oldest_s` and `health`, which may be asked by any."""

    def __init__(self, endpoints: FollowedEndpoints, tools: Tools, *, grace_s: float) -> None:
        self._endpoints, self._tools, self._grace_s = endpoints, tools, grace_s
        self._workers: Mapping[str, EndpointWorker] | None = None  # None: the file was not followed yet
        self._leaving: list[EndpointWorker] = []
        self.health = Health(
            live={"workers": self._dead}, ready={"kafka": self._trouble}, notes={"endpoints": self._note}
        )

    def follow(self) -> None:
        """Start, change and stop workers as the file says; to be called again and again."""
        wanted = self._endpoints.now()
        self._leaving = [worker for worker in self._leaving if worker.is_alive]
        workers = dict(self._workers or {})
        for endpoint_id in workers.keys() - wanted.keys():
            worker = workers.pop(endpoint_id)
            worker.stop(self._grace_s)
            self._leaving.append(worker)
        for endpoint_id, endpoint in wanted.items():
            if endpoint_id in workers:
                workers[endpoint_id].replace(endpoint)
            else:
                workers[endpoint_id] = EndpointWorker(endpoint, self._tools)
                workers[endpoint_id].start()
        self._workers = workers

    def close(self, patience_s: float) -> None:
        """Stop all of them; returns when they have ended, or after so many seconds."""
        until_s = time.monotonic() + patience_s
        workers = [*(self._workers or {}).values(), *self._leaving]
        for worker in workers:
            worker.stop(self._grace_s)
        for worker in workers:
            worker.join(max(0.0, until_s - time.monotonic()))

    def oldest_s(self) -> Mapping[str, float]:
        """The age of the oldest notice that waits, by the endpoint's id; 0 where none waits."""
        now_ms = _now_ms(self._tools.clock)
        found = {endpoint_id: worker.oldest_ms for endpoint_id, worker in (self._workers or {}).items()}
        return {
            endpoint_id: 0.0 if oldest_ms is None else max(0.0, (now_ms - oldest_ms) / 1000)
            for endpoint_id, oldest_ms in found.items()
        }

    def _dead(self) -> str:
        workers = self._workers or {}
        return ", ".join(endpoint_id for endpoint_id, worker in workers.items() if not worker.is_alive)

    def _trouble(self) -> str:
        if self._workers is None:
            return "the endpoints are not known yet"
        reasons = dict.fromkeys(worker.trouble for worker in self._workers.values() if worker.trouble)
        return "; ".join(reasons)

    def _note(self) -> str:
        """What keeps single endpoints, or the file, from being used as they are."""
        workers = self._workers or {}
        gone = [endpoint_id for endpoint_id, worker in workers.items() if worker.is_ended]
        said = f"gone until they are changed: {', '.join(gone)}" if gone else ""
        return "; ".join(filter(None, (self._endpoints.trouble, said)))


def _now_ms(clock: Clock) -> float:
    return clock.now().timestamp() * 1000
