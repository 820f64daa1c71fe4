"""Dead letters as operators have them by HTTP: listed, shown with their record, and their records sent again."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from consumer.adapters.kafka.dead_letters import DeadLetterEntry, KafkaDeadLetters
from consumer.core.errors import Rejected
from consumer.core.events import DeadLetter, SeparationRequest
from consumer.core.model import Message
from consumer.delivery.replay import replayed
from consumer.gateway.letter_views import listed, planned, record_of
from consumer.gateway.problems import Problem

_PLACE = re.compile(r"(\d{1,9}):(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Shown:
    """A letter that can be read, and what is answered of it."""

    letter: DeadLetter
    document: dict[str, Any]


class Letters:
    """Belongs to one event loop; Kafka is asked in threads, one question at a time.

    topics: those that records of dead letters may go back to, the requests' first. Every method raises
    BrokerUnavailable, and those for one letter Problem, 404, where there is none at PARTITION:OFFSET.
    """

    def __init__(self, letters: KafkaDeadLetters, topics: Sequence[str]) -> None:
        self._letters, self._topics = letters, topics
        self._one = asyncio.Lock()

    async def latest(self, *, code: str | None, limit: int) -> list[dict[str, Any]]:
        """The latest, the latest first; of one code alone where that is given."""
        async with self._one:
            entries = await asyncio.to_thread(self._letters.latest, limit, code)
        return [listed(entry) for entry in entries]

    async def show(self, place: str) -> Shown:
        """A letter with its record, decoded as far as it can be. Raises RegistryUnavailable."""
        async with self._one:
            entry, letter = await self._read(place)
            request = await asyncio.to_thread(self._request_in, letter)
        return Shown(letter, {**listed(entry), **record_of(letter, request)})

    async def plan(self, place: str) -> Shown:
        """What a replay would send, or why nothing; nothing is sent."""
        async with self._one:
            entry, letter = await self._read(place)
        try:
            message: Message | Rejected = replayed(letter, self._topics)
        except Rejected as rejected:
            message = rejected
        return Shown(letter, planned(entry, message))

    async def replay(self, place: str) -> Shown:
        """Send its record again. Raises Rejected."""
        async with self._one:
            entry, letter = await self._read(place)
            message = replayed(letter, self._topics)
            await asyncio.to_thread(self._letters.send, message)
        return Shown(letter, {"place": entry.place, "topic": message.topic})

    async def _read(self, place: str) -> tuple[DeadLetterEntry, DeadLetter]:
        found = _PLACE.fullmatch(place)
        entry = await asyncio.to_thread(self._letters.read_one, int(found[1]), int(found[2])) if found else None
        if entry is None or entry.dead_letter is None:
            raise Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "there is no such dead letter")
        return entry, entry.dead_letter

    def _request_in(self, letter: DeadLetter) -> SeparationRequest | Rejected:
        try:
            return self._letters.request_in(letter)
        except Rejected as rejected:
            return rejected
