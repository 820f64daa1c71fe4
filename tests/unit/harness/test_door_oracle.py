"""The oracle of the gateways' storms finds each thing that can be wrong, and nothing where nothing is."""

from dataclasses import replace
from typing import Any

import pytest

from consumer.core.events import SeparationProgress, SeparationRequest, SeparationResult, SourceObject
from harness.chaos.door_oracle import (
    Answered,
    Facts,
    Finding,
    Told,
    Wrong,
    judge_answers,
    judge_job_stream,
    judge_stream,
)
from harness.chaos.oracle import RECORD


def request(name: str) -> SeparationRequest:
    return SeparationRequest(
        request_id=f"id-{name}", source=SourceObject(bucket="music", key="a.wav"), metadata={RECORD: name}
    )


def result(name: str) -> SeparationResult:
    return SeparationResult(request_id=f"id-{name}", metadata={RECORD: name})


def told(name: str, of: str, **data: Any) -> Told:
    return Told(name=name, request_id=f"id-{of}", data=data)


A, B = (Answered(name=name, status=202, request_id=f"id-{name}", position=f"r:0:{name}") for name in "ab")
AGAIN = replace(A, status=200, position=None)
FACTS = Facts(
    requests={"r:0:a": request("a"), "r:0:b": request("b")},
    outcomes=[result("a"), result("b")],
    progress=[SeparationProgress(request_id="id-a", stage="separate", attempt=1)],
)
STEP = told("progress", "a", stage="separate", attempt=1)
LIFE = [told("accepted", "a"), told("accepted", "b"), STEP, told("succeeded", "a"), told("succeeded", "b")]


def kinds(findings: list[Finding]) -> set[Wrong]:
    return {finding.kind for finding in findings}


def test_what_is_right_is_not_found_fault_with() -> None:
    """Also where progress was left out, or a request lies there twice and was done twice."""
    assert judge_answers([A, AGAIN, B], FACTS) == []
    assert judge_stream(LIFE, FACTS) == []
    assert judge_stream([each for each in LIFE if each is not STEP], FACTS) == []
    twice = replace(FACTS, requests={**FACTS.requests, "r:0:9": request("a")}, outcomes=[*FACTS.outcomes, result("a")])
    assert judge_answers([A, AGAIN, B], twice) == []
    assert judge_stream(LIFE, twice) == []
    assert judge_stream([*LIFE, told("accepted", "a"), told("succeeded", "a")], twice) == []
    for stream in ([LIFE[3]], [LIFE[0], STEP, LIFE[3]]):
        assert judge_job_stream(stream) == []


@pytest.mark.parametrize(
    ("answers", "facts", "kind"),
    [
        ([A, replace(B, status=500)], FACTS, Wrong.REFUSED),
        ([A, replace(AGAIN, request_id="id-b"), B], FACTS, Wrong.TWO_IDS),
        ([A, B], replace(FACTS, requests={"r:0:a": request("a")}), Wrong.LOST),
        ([A, replace(B, position="r:0:a")], FACTS, Wrong.LOST),
        ([A, replace(B, position=None)], FACTS, Wrong.LOST),
        ([A, B], replace(FACTS, outcomes=[result("a")]), Wrong.LOST),
        ([A, B], replace(FACTS, outcomes=[result("a"), result("a"), result("b")]), Wrong.TWICE),
        ([A], FACTS, Wrong.STRANGER),
        ([A, B], replace(FACTS, outcomes=[*FACTS.outcomes, result("c")]), Wrong.STRANGER),
    ],
)
def test_each_wrong_answer_is_found(answers: list[Answered], facts: Facts, kind: Wrong) -> None:
    """By what lies in Kafka."""
    assert kind in kinds(judge_answers(answers, facts))


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (LIFE[1:], Wrong.UNTOLD),
        (LIFE[:-1], Wrong.UNTOLD),
        ([], Wrong.UNTOLD),
        ([*LIFE, LIFE[-1]], Wrong.REPEATED),
        ([*LIFE, LIFE[0], LIFE[3]], Wrong.REPEATED),
        ([*LIFE, STEP], Wrong.REPEATED),
        ([LIFE[3], LIFE[0], LIFE[1], LIFE[4]], Wrong.ORDER),
        ([*LIFE, told("accepted", "c"), told("failed", "c")], Wrong.STRANGER),
        ([*LIFE, told("reset", "", reason="expired")], Wrong.RESET),
    ],
)
def test_each_wrong_stream_is_found(stream: list[Told], kind: Wrong) -> None:
    """Of all jobs."""
    assert kind in kinds(judge_stream(stream, FACTS))


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        ([], Wrong.UNTOLD),
        ([LIFE[0]], Wrong.UNTOLD),
        ([LIFE[0], LIFE[3], LIFE[3]], Wrong.REPEATED),
        ([LIFE[0], LIFE[0], LIFE[3]], Wrong.REPEATED),
        ([LIFE[3], LIFE[0]], Wrong.ORDER),
        ([told("reset", "a"), LIFE[3]], Wrong.RESET),
    ],
)
def test_each_wrong_stream_of_one_job_is_found(stream: list[Told], kind: Wrong) -> None:
    """By its names alone."""
    assert kind in kinds(judge_job_stream(stream))
