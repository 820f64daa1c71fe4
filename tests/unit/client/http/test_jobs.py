"""A job's handle: waiting, progress, cancelling, and lists of jobs."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from consumer.client import GatewayUnavailable, RequestRefused, SeparationFailed, WaitTimeout
from consumer.client.http import HttpClient
from consumer.core.events import SeparationProgress
from tests.unit.client.http.conftest import Time
from tests.unit.client.http.door import HANG_UP, Door, Reply, Seen
from tests.unit.client.http.jobs import FAILED, ID, LETTER, PLACE, QUEUED, RESULT, RUNNING, SUCCEEDED

ACCEPTED = Reply.of(QUEUED, 202, Separation_Position="requests:1:7")


def waits(time: Time, document: object) -> Callable[[Seen], Reply]:
    """A gateway that waits for as long as it is asked to."""

    def answer(seen: Seen) -> Reply:
        if found := re.fullmatch(r"wait=(\d+)", seen.headers.get("prefer", "")):
            time.advance(int(found[1]))
        return Reply.of(document, Retry_After="2")

    return answer


def test_a_result_is_the_same_value_as_over_kafka(door: Door, client: HttpClient) -> None:
    """Field for field; once it is known, nothing more is asked."""
    door.answer(ACCEPTED, Reply.of(SUCCEEDED))
    job = client.separate("music/song.mp3")
    assert job.result(60) == RESULT
    assert job.result(0) == RESULT
    assert (job.done(), job.progress(), job.view().state) == (True, None, "succeeded")
    assert [seen.path for seen in door.seen] == ["/v1/separations", PLACE]
    assert door.seen[1].headers["separation-position"] == "requests:1:7"


def test_a_job_that_is_there_already_needs_no_second_question(door: Door, client: HttpClient) -> None:
    """A replayed request is answered with its outcome."""
    door.answer(Reply.of(SUCCEEDED, 200, Idempotent_Replayed="true"))
    job = client.separate("music/song.mp3")
    assert job.position is None
    assert job.result(0) == RESULT
    assert len(door.seen) == 1


def test_a_failure_is_the_same_error_as_over_kafka(door: Door, client: HttpClient) -> None:
    """With a dead letter that has all that HTTP tells of it; a cancelled job says so."""
    door.answer(Reply.of(FAILED))
    with pytest.raises(SeparationFailed) as caught:
        client.job(ID).result(60)
    assert caught.value.letter == LETTER
    assert caught.value.code == "OBJECT_NOT_FOUND"
    door.answer(Reply.of(FAILED | {"state": "cancelled", "error": FAILED["error"] | {"code": "CANCELLED"}}))
    with pytest.raises(SeparationFailed) as caught:
        client.job(ID).result(60)
    assert caught.value.is_cancelled


def test_waiting_is_done_by_the_gateway(door: Door, client: HttpClient, time: Time) -> None:
    """In long polls of half a minute at most, for as long as the caller waits, and not a second longer."""
    door.answer(Reply.of(QUEUED), waits(time, RUNNING))
    job, begun = client.job(ID), time.now_s
    with pytest.raises(WaitTimeout) as caught:
        job.result(timeout_s=70)
    assert caught.value.request_id == ID
    assert time.now_s - begun == pytest.approx(70)
    assert [seen.headers.get("prefer") for seen in door.seen[1:]] == ["wait=30", "wait=30", "wait=10"]
    assert time.paused == []
    door.answer(Reply.of(SUCCEEDED))
    assert job.result(1) == RESULT  # it may be waited for again


@pytest.mark.parametrize("timeout_s", [0, 0.4, 5])
def test_a_gateway_that_does_not_wait_is_not_besieged(
    door: Door, client: HttpClient, time: Time, timeout_s: float
) -> None:
    """It is asked again when it says, and once more when the time is up."""
    door.answer(Reply.of(QUEUED, Retry_After="2"))
    job, begun = client.job(ID), time.now_s
    with pytest.raises(WaitTimeout):
        job.result(timeout_s)
    assert time.now_s - begun == pytest.approx(timeout_s)
    assert len(door.seen) <= 3 + timeout_s


def test_an_outage_is_waited_for(door: Door, client: HttpClient, time: Time) -> None:
    """Longer than patience has it, within the caller's time; if that ends, the error is of the wait, not of HTTP."""
    door.answer(Reply.of(QUEUED), *[HANG_UP] * 20, Reply.of(SUCCEEDED))
    assert client.job(ID).result(600) == RESULT
    assert sum(time.paused) > 60
    door.answer(Reply.of(QUEUED), Reply.problem(503, "UNAVAILABLE"))
    job, begun = client.job(ID), time.now_s
    with pytest.raises(WaitTimeout) as caught:
        job.result(100)
    assert isinstance(caught.value.__cause__, GatewayUnavailable)
    assert time.now_s - begun == pytest.approx(100)


def test_what_does_not_pass_ends_a_wait(door: Door, client: HttpClient, time: Time) -> None:
    """A job that was forgotten meanwhile, and whatever is no gateway."""
    door.answer(Reply.of(QUEUED), Reply.problem(410, "FORGOTTEN"))
    with pytest.raises(RequestRefused):
        client.job(ID).result(600)
    door.answer(Reply.of(QUEUED), Reply(body=b"<html>"))
    with pytest.raises(GatewayUnavailable):
        client.job(ID).result(600)
    door.answer(Reply.of(QUEUED | {"done": True}))
    with pytest.raises(GatewayUnavailable, match="neither result nor error"):
        client.job(ID).result(600)
    assert time.paused == []


def test_what_has_ended_has_ended(door: Door, client: HttpClient) -> None:
    """Also where another replica of the gateway is behind."""
    door.answer(Reply.of(QUEUED), Reply.of(SUCCEEDED), Reply.of(RUNNING))
    job = client.job(ID)
    assert job.done()
    assert job.done()
    assert job.result(0) == RESULT


def test_progress_is_the_same_value_as_over_kafka(door: Door, client: HttpClient) -> None:
    """But for the replica's name, which the gateway does not tell; the view has more than that."""
    door.answer(Reply.of(QUEUED), Reply.of(QUEUED), Reply.of(RUNNING))
    job = client.job(ID)
    assert job.progress() is None
    assert job.progress() == SeparationProgress(
        request_id=ID, stage="separate", segments_done=4, segments_total=16, attempt=2,
        at=datetime(2026, 11, 2, 10, 0, 3, 500_000, tzinfo=UTC),
    )  # fmt: skip
    view = job.view()
    assert (view.state, view.progress, view.done) == ("running", 0.25, False)
    assert view.eta is not None
    assert (view.eta.low, view.eta.seconds, view.eta.high) == (6, 9, 20.5)
    assert view.times["accepted_at"] == datetime(2026, 11, 2, 10, 0, 0, 120_000, tzinfo=UTC)


def test_cancelling(door: Door, client: HttpClient) -> None:
    """A wish that the brokers have; what has ended already is left alone, and what is unknown is said."""
    door.answer(Reply.of(QUEUED), Reply.of(QUEUED, 202), Reply.problem(409, "HAS_ENDED"))
    client.job(ID).cancel()
    client.cancel(ID)
    assert [(seen.method, seen.path) for seen in door.seen[1:]] == [("DELETE", PLACE)] * 2
    door.answer(Reply.problem(404, "NOT_FOUND"))
    with pytest.raises(RequestRefused):
        client.cancel(ID)


def test_lists_of_jobs_are_read_page_by_page(door: Door, client: HttpClient) -> None:
    """No page before it is wanted; ended ones need no further question."""
    pages = [
        Reply.of({"items": [QUEUED | {"id": "a"}, SUCCEEDED], "next_cursor": "c/1"}),
        Reply.of({"items": [FAILED | {"id": "b"}], "next_cursor": None}),
    ]
    door.answer(*pages)
    jobs = client.jobs(state="failed")
    assert door.seen == []
    assert [next(jobs).request_id, next(jobs).result(0)] == ["a", RESULT]
    assert len(door.seen) == 1
    assert [job.request_id for job in jobs] == ["b"]
    asked = [parse_qs(urlsplit(seen.path).query) for seen in door.seen]
    assert asked == [
        {"limit": ["100"], "state": ["failed"]},
        {"limit": ["100"], "state": ["failed"], "cursor": ["c/1"]},
    ]


def test_lists_of_certain_jobs(door: Door, client: HttpClient) -> None:
    """Each id once, and no more at once than the gateway takes; of no ids there are no jobs."""
    door.answer(Reply.of({"items": [QUEUED]}))
    assert list(client.jobs(ids=[])) == []
    assert door.seen == []
    ids = [f"id-{number}" for number in range(120)]
    assert len(list(client.jobs(ids=[*ids, *ids]))) == len(door.seen)
    asked = [parse_qs(urlsplit(seen.path).query)["id"] for seen in door.seen]
    assert [each for some in asked for each in some] == ids
    assert max(map(len, asked)) <= 100


def test_a_list_without_an_end(door: Door, client: HttpClient) -> None:
    """A cursor that leads to itself ends in an error, not in a loop."""
    door.answer(Reply.of({"items": [QUEUED], "next_cursor": "same"}))
    with pytest.raises(GatewayUnavailable, match="without an end"):
        list(client.jobs())
