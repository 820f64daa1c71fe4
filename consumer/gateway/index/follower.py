"""Reads the topics into the index, in a thread of its own: first all requests that there are, then everything."""

import threading
from collections.abc import Callable, Sequence

import structlog
from confluent_kafka import Message

from consumer.client.reader import TopicReader
from consumer.core.errors import RegistryUnavailable
from consumer.core.events import SeparationProgress
from consumer.core.log_events import LogEvent
from consumer.core.model import TopicPartition
from consumer.gateway.index.changes import Batch, Change
from consumer.gateway.index.interpret import Interpreter, Meaning
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import IndexWriter

_AT_A_TIME = 1000
_POLL_S = 0.1
_REGISTRY_RETRY_S = 1.0


class IndexFollower:
    """Begins to read when `start` is called. `on_batch` is called in its thread after each batch, and must not raise.

    trouble: why it does not read, "" where it does; is_broken: it never will again. requests_topic is read to its end
    before anything else, so that the first request under an id is known before what came of the others.
    """

    def __init__(
        self,
        reader: TopicReader,
        interpreter: Interpreter,
        table: JobTable,
        writer: IndexWriter,
        *,
        requests_topic: str,
        on_batch: Callable[[Batch], None],
    ) -> None:
        self._reader, self._interpreter, self._table, self._writer = reader, interpreter, table, writer
        self._requests_topic, self._on_batch = requests_topic, on_batch
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-index", daemon=True)
        self.trouble = ""
        self.is_broken = False
        self.has_caught_up = False

    @property
    def jobs(self) -> int:
        """How many jobs were read so far."""
        return self._writer.jobs

    def start(self) -> None:
        """Begin to read."""
        self._reader.hold_all_but(self._requests_topic)
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
        changes = [change for message in messages for change in self._apply(message)]
        self._table.commit()
        self._on_batch(Batch(changes=changes, positions=self._reader.positions()))
        if self._reader.is_at_first_end():
            if self._reader.is_holding:
                self._reader.release()
            else:
                self.has_caught_up = True

    def _apply(self, message: Message) -> Sequence[Change]:
        place = TopicPartition(message.topic() or "", message.partition() or 0), message.offset() or 0
        changes = []
        for meaning in self._meanings(message):
            if (entry := self._writer.apply(meaning)) is not None:
                progress = meaning if isinstance(meaning, SeparationProgress) else None
                changes.append(Change(place=place, entry=entry, progress=progress))
        return changes

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
