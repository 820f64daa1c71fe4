"""A door, and a client whose clock is the test's."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from consumer.client.http import HttpClient, Patience, api_key
from harness.clock import ManualClock
from tests.unit.client.http.door import Door, open_door

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


@pytest.fixture
def client(door: Door, time: Time) -> Iterator[HttpClient]:
    """Jitter takes nothing away from its waits and adds nothing."""
    patience = Patience(first_wait_s=1, longest_wait_s=8, within_s=60, jitter=lambda: 1.0)
    with HttpClient(door.url, api_key(KEY), patience=patience, clock=time, pause=time.pause) as client:
        yield client
