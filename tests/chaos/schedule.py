"""What goes wrong, and when: drawn from a seed, printed line by line, the same for the same seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.chaos.stack import SERVICES, SLOTS, TOXICS

# Kind of fault → how often it is drawn, and how long it lasts, in seconds.
FAULTS: dict[str, tuple[int, float, float]] = {
    "kill": (4, 0.2, 4.0),  # SIGKILL; started again after that time
    "term": (3, 0.2, 3.0),  # SIGTERM; started again that long after its end
    "freeze": (3, 0.5, 12.0),  # SIGSTOP until SIGCONT: shorter and longer than the group's session
    "kill-separator": (4, 0.0, 0.0),
    "disturb": (5, 1.0, 9.0),
    "take-away": (2, 0.5, 5.0),  # the broker or the object store
}
# How long after a fault at one place the next may come there, in seconds. A broker has to come to itself: Kafka 4.3.1,
# stopped while it still loads what it coordinates, takes a transaction for ended whose marker it has not written, and
# its offsets stay undecided for ever. No client can mend that.
REST_S = {"kafka": 12.0}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Event:
    """One thing that goes wrong. `where` is a slot or a service; `how` tells more."""

    at_s: float
    kind: str
    where: str
    how: str = ""
    lasts_s: float = 0.0

    def __str__(self) -> str:
        lasting = f" for {self.lasts_s} s" if self.lasts_s else ""
        return f"{self.at_s:6.1f} s  {self.kind} {self.where} {self.how}{lasting}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A storm of `length_s` seconds. `same_names`: a replica comes back under the name of its predecessor."""

    seed: int
    requests: int
    length_s: float
    protocol: str
    same_names: bool
    events: tuple[Event, ...] = field(default=())

    def __str__(self) -> str:
        head = (
            f"CHAOS_SEED={self.seed}: {self.requests} records in {self.length_s:.0f} s, group protocol {self.protocol},"
            f" {'the same' if self.same_names else 'a new'} INSTANCE_ID after a restart"
        )
        return "\n".join([head, *(str(event) for event in self.events)])


def draw(seed: int, *, requests: int, length_s: float, faults: int) -> Schedule:
    rng = random.Random(seed)
    same_names, protocol = rng.random() < 0.6, rng.choice(("consumer", "consumer", "classic"))
    return Schedule(
        seed=seed,
        requests=requests,
        length_s=length_s,
        protocol=protocol,
        same_names=same_names,
        events=tuple(sorted(_events(rng, length_s, faults))),
    )


def _events(rng: random.Random, length_s: float, faults: int) -> Iterator[Event]:
    """No two at one place at the same time: a frozen process can't be told anything."""
    free_at: dict[str, float] = {}
    # Each kind once at least, as far as there are enough, and the rest by weight.
    kinds = list(FAULTS) + rng.choices(list(FAULTS), [weight for weight, _, _ in FAULTS.values()], k=faults)
    kinds = kinds[:faults]
    for number, kind in enumerate(rng.sample(kinds, len(kinds))):
        _, least_s, most_s = FAULTS[kind]
        where = rng.choice(SERVICES) if kind == "take-away" else str(rng.randrange(SLOTS))
        how = ""
        if kind == "take-away":
            how = rng.choice(("kill", "stop"))
        elif kind == "disturb":
            how = f"{rng.choice(SERVICES)} {rng.choice(list(TOXICS))}"
        lasts_s = round(rng.uniform(least_s, most_s), 1)
        at_s = round(max(length_s * (number + rng.random()) / faults, free_at.get(where, 0.0)), 1)
        free_at[where] = at_s + lasts_s + REST_S.get(where, 1.0)
        yield Event(at_s=at_s, kind=kind, where=where, how=how, lasts_s=lasts_s)
