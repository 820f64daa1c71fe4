"""Reads the topics into the index, in a thread of its own: first the requests, then what came of them."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

import structlog
from confluent_kafka import Message

from consumer.client.reader import TopicReader
from consumer.core.errors import RegistryUnavailable
from consumer.core.events import SeparationProgress
from consumer.core.log_events import LogEvent
from consumer.core.model import TopicPartition
from consumer.gateway.index.causal_order import CausalOrder, ReadRecord
from consumer.gateway.index.changes import Batch, Change
from consumer.gateway.index.interpret import Interpreter, Meaning
from consumer.gateway.index.positions import Positions
from consumer.gateway.index.pruning import Pruner
from consumer.gateway.index.writer import IndexWriter

_AT_A_TIME = 1000
_POLL_S = 0.1
_REGISTRY_RETRY_S = 1.0


class IndexFollower:
    """Begins to read when `start` is called. `on_batch` is called in its thread after each batch, and must not raise.

    trouble: why it does not read, "" where it does; is_broken: it never will again. order's topics are read to their
    ends one after the other, so that a job's records come in the order of its life; then all together.
    unread: records that it has not read yet, as far as the brokers have told.
    """

    def __init__(
        self,
        reader: TopicReader,
        interpreter: Interpreter,
        writer: IndexWriter,
        pruner: Pruner,
        *,
        order: CausalOrder,
        on_batch: Callable[[Batch], None],
    ) -> None:
        self._reader, self._interpreter, self._writer, self._pruner = reader, interpreter, writer, pruner
        self._order, self._on_batch = order, on_batch
        self._topics_begun = 0
        self._to_forget: queue.SimpleQueue[tuple[str | None, str]] = queue.SimpleQueue()
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-index", daemon=True)
        self.trouble = ""
        self.is_broken = False
        self.has_caught_up = False
        self.unread = 0

    @property
    def begins(self) -> Positions:
        """Where reading began, as far as the topics held it then, or where they begin by now."""
        now = self._pruner.begins
        return {place: max(begin, now.get(place, 0)) for place, begin in {**now, **self._reader.begins}.items()}

    @property
    def jobs(self) -> int:
        """How many jobs were read so far."""
        return self._writer.jobs

    def forget(self, requests: Iterable[tuple[str | None, str]]) -> None:
        """Soon nothing is shown or kept of these, as tenant and request id. From any thread."""
        for request in requests:
            self._to_forget.put(request)

    def note_begins(self, begins: Positions) -> None:
        """The topics begin there by now: what lies before is soon not kept any more. From any thread."""
        self._pruner.note(begins)

    def start(self) -> None:
        """Begin to read."""
        self._begin_next_topic()
        self._thread.start()

    def stop(self) -> None:
        """Read no more; returns when the thread has ended."""
        self._is_stopping.set()
        self._thread.join()
        self._reader.close()

    def _run(self) -> None:
        try:
            while not self._is_stopping.is_set():
                self._read()
        except Exception as error:  # noqa: BLE001 - told by `trouble`, and ends the process by its probe
            self.is_broken, self.trouble = True, f"the index can't be kept ({type(error).__name__})"
            structlog.get_logger().error(LogEvent.INDEX_BROKEN, exc_info=error)

    def _read(self) -> None:
        messages = self._reader.consume_soon(_AT_A_TIME, _POLL_S)
        read = [self._record(message) for message in messages]
        if self._is_stopping.is_set():
            return  # what was read may lack what it means
        # What was forgotten before a record is read is so when it is applied.
        forgotten = list(self._forget())
        changes = [change for record in self._order.add(read) for change in self._apply(record)]
        if self.has_caught_up:
            self._pruner.step()
        self._writer.commit()
        positions = self._reader.positions()
        self.unread = self._reader.unread()
        self._on_batch(
            Batch(
                changes=[*forgotten, *changes],
                positions=self._order.positions(positions),
                last_event=self._writer.last_event,
            )
        )
        self._order.look_for_orphans(positions)
        if self._reader.is_at_first_end() and not self._order:
            if self._reader.is_holding:
                self._begin_next_topic()
            else:
                self.has_caught_up = True

    def _forget(self) -> Iterator[Change]:
        while not self._to_forget.empty():
            tenant, request_id = self._to_forget.get()
            if (entry := self._writer.forget(request_id, tenant)) is not None:
                yield Change(place=(TopicPartition("", 0), 0), entry=entry)

    def _begin_next_topic(self) -> None:
        """And all that there are, once those that others depend on have been read."""
        self._topics_begun += 1
        begun = self._order.topics[: self._topics_begun]
        if len(begun) == self._topics_begun:
            self._reader.hold_all_but(*begun)
        else:
            self._reader.release()

    def _record(self, message: Message) -> ReadRecord:
        place = TopicPartition(message.topic() or "", message.partition() or 0), message.offset() or 0
        return ReadRecord(place=place, meanings=self._meanings(message))

    def _apply(self, record: ReadRecord) -> Iterator[Change]:
        for meaning in record.meanings:
            if (entry := self._writer.apply_record(meaning, record.place)) is not None:
                progress = meaning if isinstance(meaning, SeparationProgress) else None
                yield Change(place=record.place, entry=entry, progress=progress)

    def _meanings(self, message: Message) -> Sequence[Meaning]:
        while not self._is_stopping.is_set():
            try:
                meanings = list(self._interpreter.meanings(message))
            except RegistryUnavailable as away:
                self.trouble = f"a record waits for its schema: {away}"
                self._is_stopping.wait(_REGISTRY_RETRY_S)
            else:
                self.trouble = ""
                return meanings
        return ()
