"""One reader of outcomes for a whole client, however many jobs wait: each job is told of its own."""

import copy
import logging
import threading
from collections import deque
from collections.abc import Sequence
from weakref import KeyedRef

from confluent_kafka import Message

from consumer.client.decoding import EventDecoder
from consumer.client.errors import ClientBroken, ClientClosed
from consumer.client.promise import Promise
from consumer.client.reader import Begin, TopicReader
from consumer.core.errors import ConsumerError, RegistryUnavailable
from consumer.core.events import DeadLetter, SeparationProgress, SeparationResult
from consumer.settings import KafkaSettings, TopicSettings

_POLL_S = 0.1
_AT_A_TIME = 500
_REGISTRY_RETRY_S = 1.0
_log = logging.getLogger("consumer.client")

Outcome = SeparationResult | DeadLetter


class PendingJob(Promise[Outcome]):
    """What a client knows of one job: its outcome, once there is one, and the progress that was heard last."""

    __slots__ = ("progress", "request_id")

    def __init__(self, request_id: str, lock: "threading.RLock", awaited: "set[Promise[Outcome]]") -> None:
        super().__init__(lock, awaited)
        self.request_id = request_id
        self.progress: SeparationProgress | None = None


class OutcomeReader:
    """Thread-safe. Reads what is published after it was made, in a thread of its own. Raises as TopicReader.

    A job that nobody holds, and nobody waits for, is forgotten. Once it can read no more, by `close` or an error, those
    who wait are told why.
    """

    def __init__(self, kafka: KafkaSettings, topics: TopicSettings, decoder: EventDecoder, *, request_s: float) -> None:
        self._topics, self._decoder = topics, decoder
        self._waiting: dict[str, list[KeyedRef[str, PendingJob]]] = {}
        # Jobs are dropped in any thread at any moment, in the middle of what holds the lock too.
        self._dropped: deque[KeyedRef[str, PendingJob]] = deque()
        self._lock, self._settling = threading.Lock(), threading.RLock()
        self._awaited: set[Promise[Outcome]] = set()
        self._is_closed = threading.Event()
        self._ended: ConsumerError | None = None
        names = (topics.results, topics.dead_letter, topics.progress)
        self._reader = TopicReader(kafka, names, begin=Begin.END, request_s=request_s)
        self._thread = threading.Thread(target=self._run, name="client-outcomes", daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is read, and another reader is needed."""
        return self._ended is not None

    def expect(self, request_id: str) -> PendingJob:
        """From now on what is published of this request is told to what is returned, for as long as that is held.

        Raises what has ended the reader.
        """
        pending = PendingJob(request_id, self._settling, self._awaited)
        reference = KeyedRef(pending, self._dropped.append, request_id)
        with self._lock:
            if self._ended is not None:
                raise _another(self._ended)
            self._forget_dropped()
            self._waiting.setdefault(request_id, []).append(reference)
        return pending

    def close(self) -> None:
        """End reading. Whoever still waits is told so."""
        self._is_closed.set()
        self._thread.join()

    def _run(self) -> None:
        ended: ConsumerError = ClientClosed("the client was closed before the job's outcome was known")
        try:
            while not self._is_closed.is_set():
                self._read()
        except ConsumerError as error:
            ended = error
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must be told
            _log.exception("the reader of outcomes has ended")
            ended = ClientBroken(f"outcomes can't be read any more: {type(error).__name__}: {error}")
            ended.__cause__ = error
        finally:
            self._end(ended)

    def _end(self, ended: ConsumerError) -> None:
        with self._lock:
            self._ended = ended
            left = [reference for references in self._waiting.values() for reference in references]
            self._waiting.clear()
        for pending in _alive(left):
            pending.settle(_another(ended))
        self._reader.close()

    def _read(self) -> None:
        for message in self._reader.consume(_AT_A_TIME, _POLL_S):
            if self._may_be_expected(message):
                self._tell(self._decode(message))
        with self._lock:
            self._forget_dropped()

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
            return key.decode("utf-8", "replace") in self._waiting

    def _tell(self, event: object) -> None:
        match event:
            case SeparationProgress():
                with self._lock:
                    told = _alive(self._waiting.get(event.request_id, ()))
                for pending in told:
                    pending.progress = event
            case SeparationResult() | DeadLetter():
                with self._lock:
                    told = _alive(self._waiting.pop(event.request_id or "", ()))
                for pending in told:
                    pending.settle(event)
            case _:
                pass

    def _forget_dropped(self) -> None:
        """To be called with the lock held."""
        while self._dropped:
            reference = self._dropped.popleft()
            others = [each for each in self._waiting.get(reference.key, ()) if each is not reference]
            if others:
                self._waiting[reference.key] = others
            else:
                self._waiting.pop(reference.key, None)


def _another(error: ConsumerError) -> ConsumerError:
    """The same for somebody else: what is raised keeps the frames that it went through."""
    other = copy.copy(error)
    other.__cause__ = error.__cause__
    return other


def _alive(references: Sequence[KeyedRef[str, PendingJob]]) -> list[PendingJob]:
    """Those that somebody still holds."""
    return [pending for reference in references if (pending := reference()) is not None]
