"""Carries out a schedule on three replicas while requests are sent, and brings everything to an end."""

import heapq
import itertools
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.chaos.oracle import Finding, Objects, whole_manifests
from harness.chaos.traffic import Traffic
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import LONG_PATIENCE_S, wait_for
from tests.chaos.schedule import Event, Schedule
from tests.chaos.stack import SLOTS, Stack

_BATCH = 5


@dataclass(slots=True)
class Storm:
    stack: Stack
    platform: Platform
    traffic: Traffic
    schedule: Schedule
    _slots: dict[int, ReplicaProcess] = field(default_factory=dict)
    _todo: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    _ended: list[ReplicaProcess] = field(default_factory=list)  # by us
    gave_up: list[str] = field(default_factory=list)  # replicas that ended by themselves, with their last line

    def run(self) -> list[Finding]:
        """Everything sent and done, all replicas ended. Returns what was wrong with manifests on the way."""
        for slot in range(SLOTS):
            self._start(slot)
        for replica in self._slots.values():
            replica.wait_ready()
        began = time.monotonic()
        for event in self.schedule.events:
            self._at(event.at_s, lambda event=event: self._begin(event))  # type: ignore[misc]
        batches = -(-self.schedule.requests // _BATCH)
        for number in range(batches):
            count = min(_BATCH, self.schedule.requests - number * _BATCH)
            self._at(
                self.schedule.length_s * number / batches,
                lambda count=count: self.traffic.send_mix(count),  # type: ignore[misc]
            )
        while self._todo:
            at_s, _, action = heapq.heappop(self._todo)
            time.sleep(max(0.0, began + at_s - time.monotonic()))
            self._supervise()
            action()
        findings = whole_manifests(Objects(self.platform))
        self.traffic.flush()
        wait_for(self._is_done, patience_s=LONG_PATIENCE_S)
        self._end()
        return findings

    def _at(self, at_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._todo, (at_s, next(self._order), action))

    def _is_done(self) -> bool:
        self._supervise()
        time.sleep(0.5)
        return self.platform.lag() == 0

    def _start(self, slot: int) -> None:
        name = f"slot-{slot}" if self.schedule.same_names else f"slot-{slot}-{len(self.platform.replicas)}"
        self._slots[slot] = self.platform.start_replica(
            INSTANCE_ID=name,
            KAFKA_GROUP_PROTOCOL=self.schedule.protocol,
            SHUTDOWN_GRACE_S="5",
            **self.stack.environment(slot),
        )

    def _supervise(self) -> None:
        """As an orchestrator would: what ended by itself is started again."""
        for slot, replica in list(self._slots.items()):
            if replica.process.poll() is not None and replica not in self._ended:
                self.gave_up.append(f"{replica.log.name}: {replica.log.read_text()[-400:]}")
                self._start(slot)

    def _begin(self, event: Event) -> None:
        undo = self._undo(event)
        if undo is not None:
            self._at(event.at_s + event.lasts_s, undo)

    def _undo(self, event: Event) -> Callable[[], None] | None:
        """Do it, and return how it is undone."""
        if event.kind == "take-away":
            self.stack.take_away(event.where, by_force=event.how == "kill")
            return lambda: self.stack.bring_back(event.where)
        slot = int(event.where)
        replica = self._slots[slot]
        if event.kind == "disturb":
            service, toxic = event.how.split()
            self.stack.disturb(slot, service, toxic)
            return lambda: self.stack.calm(slot, service, toxic)
        if event.kind == "kill-separator":
            for separator in replica.separators():
                separator.kill()
            return None
        if event.kind == "freeze":
            replica.process.send_signal(signal.SIGSTOP)
            return lambda: replica.process.send_signal(signal.SIGCONT)
        self._ended.append(replica)
        replica.process.send_signal(signal.SIGKILL if event.kind == "kill" else signal.SIGTERM)
        return lambda: self._replace(slot)

    def _replace(self, slot: int) -> None:
        replica = self._slots[slot]
        # SIGTERM may come before it is told what to do with one.
        assert replica.process.wait(120) in (0, -signal.SIGKILL, -signal.SIGTERM), replica.log.read_text()[-2000:]
        self._start(slot)

    def _end(self) -> None:
        for replica in self._slots.values():
            wait_for(lambda replica=replica: replica.said("replica.started"))  # and so knows what SIGTERM means
        for replica in self._slots.values():
            self._ended.append(replica)
            replica.process.send_signal(signal.SIGTERM)
        for replica in self._slots.values():
            assert replica.process.wait(120) == 0, replica.log.read_text()[-2000:]
