"""What operators ask the gateway: how far the group is behind, who is in it, and what it gave up."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from consumer.adapters.kafka.dead_letters import DeadLetterEntry, KafkaDeadLetters
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.group import Group
from consumer.core.lag import Backlog
from consumer.core.model import Message
from consumer.delivery.replay import replayed
from consumer.gateway.fresh import Fresh
from consumer.gateway.outlook.at_work import RunningJob
from consumer.gateway.problems import Problem
from consumer.gateway.replicas import replicas_of

_PLACE = re.compile(r"(\d{1,9}):(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Replayed:
    """A record that was sent again, and the letter that held it."""

    entry: DeadLetterEntry
    topic: str


class Operating:
    """Belongs to one event loop; Kafka is asked in threads, one question of a kind at a time.

    read_lag and read_group: the group's lag and members now. topics: those that records of dead letters may go back
    to, the requests' first. Every method raises BrokerUnavailable.
    """

    def __init__(
        self,
        read_lag: Callable[[], Backlog],
        read_group: Callable[[], Group],
        letters: KafkaDeadLetters,
        topics: Sequence[str],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._letters, self._topics, self._clock = letters, topics, clock
        self._one_letter = asyncio.Lock()
        self._lag, self._group = Fresh(read_lag, clock), Fresh(read_group, clock)

    async def lag(self) -> list[dict[str, Any]]:
        """Each partition's unfinished records, how long the oldest waits, and what a sender's transaction holds."""
        backlog = await self._lag.read()
        now_s = self._clock.now().timestamp()
        return [
            {
                "topic": lag.partition.topic,
                "partition": lag.partition.partition,
                "messages": lag.messages,
                "seconds": round(lag.waited_s(now_s), 3),
                "held": lag.held,
            }
            for lag in backlog.lags
        ]

    async def replicas(self, running: Sequence[RunningJob]) -> dict[str, Any]:
        """The group's state and its members, each with what it does of what is running."""
        group = await self._group.read()
        return {"state": group.state, "items": replicas_of(group, running, self._topics[0])}

    async def dead_letters(self, *, code: str | None, limit: int) -> list[dict[str, Any]]:
        """The latest, the latest first; of one code alone where that is given."""
        async with self._one_letter:
            entries = await asyncio.to_thread(self._letters.latest, limit, code)
        return [_shown(entry) for entry in entries]

    async def replay(self, place: str) -> Replayed:
        """Send the record of the letter at PARTITION:OFFSET again. Raises Problem, Rejected."""
        found = _PLACE.fullmatch(place)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "there is no such dead letter")
        async with self._one_letter:
            return await asyncio.to_thread(self._replay, int(found[1]), int(found[2]))

    def _replay(self, partition: int, offset: int) -> Replayed:
        entry = self._letters.read_one(partition, offset)
        if entry is None or entry.dead_letter is None:
            raise Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "there is no such dead letter")
        message: Message = replayed(entry.dead_letter, self._topics)
        self._letters.send(message)
        return Replayed(entry, message.topic)


def _shown(entry: DeadLetterEntry) -> dict[str, Any]:
    """Without the record itself, which is its sender's."""
    letter = entry.dead_letter
    told = {} if letter is None else {
        "request_id": letter.request_id, "code": letter.code, "message": letter.message, "stage": letter.stage,
        "attempts": letter.attempts, "topic": letter.topic, "partition": letter.partition, "offset": letter.offset,
        "failed_at": msgspec.to_builtins(letter.failed_at),
    }  # fmt: skip
    return {"place": entry.place, **told}
