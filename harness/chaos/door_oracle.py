"""Says what is wrong with what gateways have answered and told. Knows topics, answers and streams, and no more.

Each request that was taken lies in Kafka where its answer says, has exactly one outcome a record, and one id for ever;
each stream has told each job's life once, in its order, whichever gateways told it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from consumer.core.events import DeadLetter, SeparationProgress, SeparationRequest, SeparationResult
from harness.chaos.oracle import RECORD

_ENDS = frozenset({"succeeded", "failed", "cancelled"})


class Wrong(StrEnum):
    """A kind of finding."""

    REFUSED = "refused"  # an answer that is neither 202 nor 200
    TWO_IDS = "two ids"  # one key, and several separations
    LOST = "lost"  # it was taken, and is not in Kafka, or not where the answer says, or has no outcome
    TWICE = "twice"  # more outcomes than records
    STRANGER = "stranger"  # a record or an outcome of what nobody asked for
    UNTOLD = "untold"  # an event that a stream has left out
    REPEATED = "repeated"  # an event that a stream has told twice
    ORDER = "order"  # an end before its beginning
    RESET = "reset"  # a stream that could not go on


@dataclass(frozen=True, slots=True)
class Finding:
    """kind: of what is wrong."""

    kind: Wrong
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a gateway answered. name: the Idempotency-Key; the request has it in its metadata, as RECORD, too."""

    name: str
    status: int
    request_id: str
    position: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event of a stream."""

    name: str
    request_id: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What lies in Kafka in the end. requests: by place, as `topic:partition:offset`."""

    requests: Mapping[str, SeparationRequest]
    outcomes: Sequence[SeparationResult | DeadLetter]
    progress: Sequence[SeparationProgress]


def judge_answers(answers: Sequence[Answered], facts: Facts) -> list[Finding]:
    """Everything that is wrong with what was answered."""
    names = defaultdict[str, set[str]](set)
    records = Counter(request.metadata.get(RECORD, "") for request in facts.requests.values())
    findings: list[Finding] = []
    for answer in answers:
        if answer.status not in (200, 202):
            findings.append(Finding(Wrong.REFUSED, f"{answer.name}: {answer.status}"))
            continue
        names[answer.name].add(answer.request_id)
        if answer.status == 202 and not _lies_there(answer, facts):
            findings.append(Finding(Wrong.LOST, f"{answer.name} does not lie at {answer.position}"))
    outcomes = Counter(outcome.request_id for outcome in facts.outcomes)
    for name, ids in names.items():
        if len(ids) != 1:
            findings.append(Finding(Wrong.TWO_IDS, f"{name}: {sorted(ids)}"))
            continue
        [request_id] = ids
        if outcomes[request_id] != records[name] or not records[name]:
            kind = Wrong.TWICE if outcomes[request_id] > records[name] else Wrong.LOST
            findings.append(Finding(kind, f"{name}: {records[name]} records, {outcomes[request_id]} outcomes"))
    known = {request_id for ids in names.values() for request_id in ids}
    others = {request.request_id for request in facts.requests.values()} | set(outcomes)
    findings += [Finding(Wrong.STRANGER, str(request_id)) for request_id in others - known]
    return findings


def judge_stream(told: Sequence[Told], facts: Facts) -> list[Finding]:
    """Everything that is wrong with a stream of all jobs, which has begun before the first and ended after the last."""
    records = Counter(request.request_id for request in facts.requests.values())
    lives = defaultdict[str, list[str]](list)
    findings: list[Finding] = []
    for event in told:
        if event.name == "reset":
            findings.append(Finding(Wrong.RESET, str(event.data)))
        elif event.name != "progress":
            lives[event.request_id].append(event.name)
    findings += [Finding(Wrong.STRANGER, f"an event of {each}") for each in lives.keys() - records.keys()]
    for request_id, count in records.items():
        findings += _life(request_id, lives[request_id], count)
    return findings + _progress(told, facts.progress)


def judge_job_stream(told: Sequence[Told]) -> list[Finding]:
    """Everything that is wrong with a stream of one job: its present first, then what happened, its end once."""
    names = [event.name for event in told if event.name != "progress"]
    if "reset" in names:
        return [Finding(Wrong.RESET, str(told))]
    ends = [name for name in names if name in _ENDS]
    if len(ends) != 1:
        return [Finding(Wrong.REPEATED if ends else Wrong.UNTOLD, f"ends: {names}")]
    if names not in ([*ends], ["accepted", *ends]):
        return [Finding(Wrong.ORDER if names.count("accepted") < 2 else Wrong.REPEATED, str(names))]
    return []


def _lies_there(answer: Answered, facts: Facts) -> bool:
    request = facts.requests.get(answer.position or "")
    return request is not None and (request.request_id, request.metadata.get(RECORD)) == (
        answer.request_id, answer.name,
    )  # fmt: skip


def _life(request_id: str, names: Sequence[str], records: int) -> Iterable[Finding]:
    """One record is one life; of several under one id some may have met before the first had ended."""
    if len(names) % 2 or not 2 <= len(names) <= 2 * records:
        kind = Wrong.UNTOLD if len(names) < 2 * records else Wrong.REPEATED
        yield Finding(kind, f"{request_id}: {names} of {records} records")
    elif any((name == "accepted") is bool(number % 2) for number, name in enumerate(names)):
        yield Finding(Wrong.ORDER, f"{request_id}: {names}")


def _progress(told: Iterable[Told], written: Iterable[SeparationProgress]) -> list[Finding]:
    """It may be left out, and is never told more often than it was written."""
    most = Counter((each.request_id, each.stage, each.attempt) for each in written)
    found = Counter(
        (each.request_id, each.data["stage"], each.data["attempt"]) for each in told if each.name == "progress"
    )
    return [Finding(Wrong.REPEATED, f"progress of {key[0]}: {count}") for key, count in (found - most).items()]
