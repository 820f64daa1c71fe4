"""A door, and clients of both kinds whose clock is the test's."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from consumer.client.http import AsyncHttpClient, HttpClient, Patience, api_key
from harness.clock import ManualClock
from tests.unit.client.http.door import Door, open_door
from tests.unit.client.http.twin import twin

KEY = "spk_of-the-tests"


@dataclass
class Time(ManualClock):
    """Waiting turns it, and is remembered."""

    paused: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.advance(seconds)


@pytest.fixture
def door() -> Iterator[Door]:
    with open_door() as door:
        yield door


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["threads", "asyncio"])
def client(request: pytest.FixtureRequest, door: Door, time: Time) -> Iterator[HttpClient]:
    """Jitter takes nothing away from its waits and adds nothing. What a test demands of one, it demands of its twin."""
    patience = Patience(first_wait_s=1, longest_wait_s=8, within_s=60, jitter=lambda: 1.0)
    if request.param == "threads":
        with HttpClient(door.url, api_key(KEY), patience=patience, clock=time, pause=time.pause) as client:
            yield client
        return

    async def pause(seconds: float) -> None:
        time.pause(seconds)

    asynchronous = AsyncHttpClient(door.url, api_key(KEY), patience=patience, clock=time, pause=pause)
    with twin(asynchronous) as quacking:
        yield cast(HttpClient, quacking)
