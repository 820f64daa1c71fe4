"""One reader of outcomes for a whole client, however many jobs wait: each job is told of its own."""

import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from confluent_kafka import Message

from consumer.client.decoding import EventDecoder
from consumer.client.errors import ClientClosed
from consumer.client.reader import Begin, TopicReader
from consumer.core.errors import ConsumerError, RegistryUnavailable
from consumer.core.events import DeadLetter, SeparationProgress, SeparationResult
from consumer.settings import KafkaSettings, TopicSettings

_POLL_S = 0.1
_AT_A_TIME = 500
_REGISTRY_RETRY_S = 1.0
_log = logging.getLogger("consumer.client")

Outcome = SeparationResult | DeadLetter


@dataclass(slots=True, eq=False)
class PendingJob:
    """What a client knows of one job. `outcome` is set once; `progress` is the latest that was heard."""

    request_id: str
    outcome: "Future[Outcome]" = field(default_factory=Future)
    progress: SeparationProgress | None = None

    def end(self, outcome: Outcome | ConsumerError) -> None:
        """Tell whoever waits; what comes later is not told."""
        if self.outcome.done():
            return
        if isinstance(outcome, ConsumerError):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)


class OutcomeReader:
    """Thread-safe. Reads what is published after it was made, in a thread of its own. Raises as TopicReader."""

    def __init__(self, kafka: KafkaSettings, topics: TopicSettings, decoder: EventDecoder, *, request_s: float) -> None:
        self._topics, self._decoder = topics, decoder
        self._pending: dict[str, list[PendingJob]] = {}
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        names = (topics.results, topics.dead_letter, topics.progress)
        self._reader = TopicReader(kafka, names, begin=Begin.END, request_s=request_s)
        self._thread = threading.Thread(target=self._run, name="client-outcomes", daemon=True)
        self._thread.start()

    def expect(self, request_id: str) -> PendingJob:
        """From now on what is published of this request is told to what is returned."""
        pending = PendingJob(request_id)
        with self._lock:
            self._pending.setdefault(request_id, []).append(pending)
        return pending

    def close(self) -> None:
        """End reading. Whoever still waits is told so."""
        self._is_closed.set()
        self._thread.join()
        self._reader.close()
        with self._lock:
            left = [pending for all_of_one in self._pending.values() for pending in all_of_one]
            self._pending.clear()
        for pending in left:
            pending.end(ClientClosed(f"the client was closed before the outcome of {pending.request_id} was known"))

    def _run(self) -> None:
        while not self._is_closed.is_set():
            for message in self._reader.consume(_AT_A_TIME, _POLL_S):
                if self._may_be_expected(message):
                    self._tell(self._decode(message))

    def _decode(self, message: Message) -> object:
        """The event, if it is one: while the schema registry is away, who waits for it goes on waiting."""
        while not self._is_closed.is_set():
            try:
                return self._decoder.decode(message)
            except RegistryUnavailable as away:
                _log.warning("an outcome waits for its schema: %s", away)
                self._is_closed.wait(_REGISTRY_RETRY_S)
        return None

    def _may_be_expected(self, message: Message) -> bool:
        """Results and progress bear the request's id as their key: those of other clients' jobs need no decoding.

        A dead letter bears the key of the record that failed, which may be any.
        """
        key = message.key()
        if message.topic() == self._topics.dead_letter or not isinstance(key, bytes):
            return True
        with self._lock:
            return key.decode("utf-8", "replace") in self._pending

    def _tell(self, event: object) -> None:
        match event:
            case SeparationProgress():
                with self._lock:
                    for pending in self._pending.get(event.request_id, ()):
                        pending.progress = event
            case SeparationResult() | DeadLetter():
                with self._lock:
                    ended = self._pending.pop(event.request_id or "", ())
                for pending in ended:
                    pending.end(event)
            case _:
                pass
