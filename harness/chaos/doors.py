"""Two gateways that are killed and started again by a schedule from a seed, and clients that know HTTP alone."""

import itertools
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx2

from harness.chaos.door_oracle import Answered, Told
from harness.chaos.oracle import RECORD
from harness.gateway import KEY, start_gateway
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import PATIENCE_S, wait_for

SLOTS = 2
_PAUSE_S = 0.05
_SILENT_S = 40.0  # longer than a stream is silent
_LIMITS = {"RATE_LIMIT_REQUESTS_PER_S": "100000", "RATE_LIMIT_BURST": "100000", "MAX_JOBS_IN_FLIGHT": "100000"}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Kill:
    """One gateway is killed at that time, and started again `down_s` later."""

    at_s: float
    slot: int
    down_s: float

    def __str__(self) -> str:
        return f"{self.at_s:6.1f} s  kill gateway {self.slot} for {self.down_s} s"


def draw(seed: int, *, kills: int, length_s: float) -> Sequence[Kill]:
    """Each gateway once at least; both may be away at once."""
    rng = random.Random(seed)
    found: list[Kill] = []
    for number in range(kills):
        at_s = length_s * (number + rng.random()) / kills
        slot = number % SLOTS if number < SLOTS else rng.randrange(SLOTS)
        found.append(Kill(at_s=round(at_s, 1), slot=slot, down_s=round(rng.uniform(0.0, 2.0), 1)))
    return sorted(found)


class Doors:
    """Used by one thread, but for `url`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._slots: dict[int, ReplicaProcess] = {}
        for slot in range(SLOTS):
            self.start(slot)
        self.wait_ready()

    def url(self, rng: random.Random) -> str:
        """Of any of them, whether it is there or not."""
        return f"http://127.0.0.1:{self._slots[rng.randrange(SLOTS)].port}"

    def start(self, slot: int) -> None:
        """Not necessarily ready yet."""
        self._slots[slot] = start_gateway(self._platform, _LIMITS)

    def kill(self, slot: int) -> None:
        """With all that it is in the middle of."""
        process = self._slots[slot].process
        assert process.poll() is None, "a gateway has ended by itself"
        process.kill()
        process.wait(60)

    def wait_ready(self) -> None:
        """All of them."""
        for door in self._slots.values():
            door.wait_ready()

    def follow(self, schedule: Sequence[Kill]) -> None:
        """Carry it out. Whoever is killed once more while it is away, or not ready yet, is waited for first."""
        begun = time.monotonic()
        todo = sorted(
            [(kill.at_s, "kill", kill.slot) for kill in schedule]
            + [(kill.at_s + kill.down_s, "start", kill.slot) for kill in schedule]
        )
        away: set[int] = set()
        for at_s, what, slot in todo:
            time.sleep(max(0.0, begun + at_s - time.monotonic()))
            if what == "start":
                if slot in away:
                    self.start(slot)
                    away.discard(slot)
            elif slot not in away:
                self._slots[slot].wait_ready()
                self.kill(slot)
                away.add(slot)
        self.wait_ready()


class Client(threading.Thread):
    """One who asks the gateways, each time any of them. What went wrong in its thread is raised by `end`."""

    def __init__(self, doors: Doors, seed: str) -> None:
        super().__init__(daemon=True)
        self._doors, self._random = doors, random.Random(seed)
        self._http = httpx2.Client(headers={"X-API-KEY": KEY}, timeout=_SILENT_S)
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Do it all."""
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - for the test's own thread
            self._failure = error
        self._http.close()

    def end(self) -> None:
        """Wait until it is done."""
        self.join(PATIENCE_S)
        if self._failure:
            raise self._failure
        assert not self.is_alive(), "a client does not come to an end"

    def _work(self) -> None:
        raise NotImplementedError


class Caller(Client):
    """Asks for so many separations, each until it is taken, under one Idempotency-Key, and some once more.

    every_s: between one and the next. tries: how many were sent, of which some were cut.
    """

    def __init__(
        self, doors: Doors, seed: str, *, bucket: str, songs: Sequence[str], count: int, every_s: float = 0.0
    ) -> None:
        super().__init__(doors, seed)
        self._bucket, self._songs, self._every_s = bucket, songs, every_s
        self._names = [f"{seed}-{number}" for number in range(count)]
        self.answers: list[Answered] = []
        self.files: dict[str, bytes] = {}
        self.tries = 0

    def _work(self) -> None:
        for name in self._names:
            time.sleep(self._random.uniform(0.0, 2 * self._every_s))
            options = {"metadata": {RECORD: name}}
            if self._random.random() < 0.25:
                file = b"RIFF\x00\x00\x00\x00WAVE" + self._random.randbytes(self._random.randrange(1000, 60_000))
                self.files[name] = file
                parts = [("request", (None, json.dumps(options), "application/json")), ("file", ("a", file, "a/b"))]
                words: dict[str, Any] = {"files": parts}
            else:
                source = {"bucket": self._bucket, "key": self._random.choice(self._songs)}
                words = {"json": {"source": source, **options}}
            for _ in range(1 + (self._random.random() < 0.3)):
                self.answers.append(self._until_taken(name, words))

    def _until_taken(self, name: str, words: dict[str, Any]) -> Answered:
        until = time.monotonic() + PATIENCE_S
        while True:
            assert time.monotonic() < until, f"{name} is not taken"
            self.tries += 1
            with suppress(httpx2.HTTPError):
                url = self._doors.url(self._random)
                told = self._http.post(f"{url}/v1/separations", headers={"Idempotency-Key": name}, **words)
                if told.status_code not in (429, 503):
                    document = told.json()
                    position = told.headers.get("Separation-Position")
                    return Answered(
                        name=name, status=told.status_code, request_id=document.get("id", ""), position=position
                    )
            time.sleep(_PAUSE_S)


class Follower(Client):
    """Reads a stream until an event says that it is over, from whichever gateway, and goes on after each cut.

    request_id: of one job; None: of all jobs, up to the end of the one that `end_with` names. is_listening: set once
    there is an id to go on from.
    """

    def __init__(self, doors: Doors, seed: str, *, request_id: str | None = None) -> None:
        super().__init__(doors, seed)
        self._request_id, self._last_job = request_id, request_id
        self._last_id: str | None = None
        self.is_listening = threading.Event()
        self.told: list[Told] = []
        self.cuts = 0

    def end_with(self, request_id: str) -> None:
        """It reads until that job has ended."""
        self._last_job = request_id

    def _work(self) -> None:
        page = "/v1/events" if self._request_id is None else f"/v1/separations/{self._request_id}/events"
        while not self._is_over():
            headers = {} if self._last_id is None else {"Last-Event-ID": self._last_id}
            with suppress(httpx2.HTTPError):
                url = self._doors.url(self._random)
                with self._http.stream("GET", f"{url}{page}", headers=headers) as answer:
                    assert answer.status_code in (200, 503), answer.read()
                    if answer.status_code == 200:
                        self._read(answer)
            self.cuts += 1
            time.sleep(_PAUSE_S)

    def _read(self, answer: httpx2.Response) -> None:
        """Until it ends, is cut, or this one has read enough and goes to another gateway."""
        for name, event_id, data in itertools.islice(blocks(answer), self._random.randrange(3, 40)):
            self._last_id = event_id or self._last_id
            self.is_listening.set()
            if name:
                self.told.append(Told(name=name, request_id=data.get("id", ""), data=data))
            if self._is_over():
                return

    def _is_over(self) -> bool:
        return self._last_job is not None and any(
            told.request_id == self._last_job and told.data.get("done") for told in self.told[-1:]
        )


def blocks(answer: httpx2.Response) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Whole blocks of a stream as (name, id, data), by the rules of the HTML standard; "" where it is no event."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        has_data = "data" in fields
        yield fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"]) if has_data else {}
        fields = {}


def wait_listening(followers: Sequence[Follower]) -> None:
    """Until each has an id to go on from."""
    wait_for(lambda: all(each.is_listening.is_set() or not each.is_alive() for each in followers))
