"""The operators' view, in a real browser before a real Kafka and gateway."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from playwright.sync_api import Browser, Page, expect

from consumer.core.events import DeadLetter, Header
from harness.browser import PATIENCE_S, Window, window
from harness.gateway import KEY, Gateway, gateway
from harness.platform import Platform, make_platform
from tests.browser.steps import check_accessible
from tests.conftest import Kafka, MinioServer

PATIENCE_MS = PATIENCE_S * 1000
HOSTILE = "<img src=x onerror=alert(1)>\u202etxt.exe"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARTITION = 3  # the one that is stuck


@pytest.fixture(scope="module")
def trouble(
    kafka: Kafka, minio: MinioServer, model_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Platform, Gateway]]:
    """A service that nobody works for: a job in one partition of six, and three dead letters."""
    folder = tmp_path_factory.mktemp("operate")
    settings = {
        "GRAFANA_URL": "https://grafana.example/d/separation",
        "TRACES_URL": "https://traces.example/trace/{trace_id}",
    }
    with closing(make_platform(kafka.bootstrap_servers, minio.endpoint, folder, model_path)) as platform:
        for letter in letters(platform):
            platform.send_to("DEAD_LETTER", platform.codec.encode(letter))
        request = platform.a_request("song.mp3", tenant="acme")
        producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
        producer.produce(
            platform.topic("REQUESTS"), platform.codec.encode(request), request.request_id, partition=PARTITION
        )
        assert producer.flush(30) == 0
        with gateway(platform, **settings) as door:
            yield platform, door


def letters(platform: Platform) -> list[DeadLetter]:
    """One that can be sent again, one that can't be, and one whose record is no request."""
    request = platform.a_request("none.mp3", tenant="acme", metadata={"title": HOSTILE})
    standard: dict[str, Any] = {
        "request_id": request.request_id, "code": "OBJECT_NOT_FOUND", "message": HOSTILE, "stage": "fetch",
        "attempts": 1, "original_key": request.request_id.encode(), "original_value": platform.codec.encode(request),
        "original_headers": (Header(key="traceparent", value=f"00-{TRACE}-00f067aa0ba902b7-01".encode()),),
        "topic": platform.topic("REQUESTS"), "partition": 0, "offset": 0, "failed_at": datetime.now(UTC),
    }  # fmt: skip
    return [
        DeadLetter(**standard),
        DeadLetter(**standard | {"code": "AUDIO_EMPTY", "topic": "elsewhere"}),
        DeadLetter(**standard | {"code": "AVRO_UNDECODABLE", "original_value": b"\xff" * 77, "request_id": None}),
    ]


@pytest.fixture
def opened(browser: Browser, trouble: tuple[Platform, Gateway]) -> Iterator[Window]:
    """The view, signed in."""
    with window(browser) as made:
        sign_in(made.page, trouble[1].url)
        yield made


def sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}/#/operate")
    page.locator("input").first.fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator(".op-headline")).to_be_visible(timeout=PATIENCE_MS)


def letter_of(page: Page, code: str) -> Any:
    """The row of the dead letter with that code."""
    return page.locator(".op-row", has=page.locator("summary .badge", has_text=code))


def test_the_one_stuck_partition_is_named_at_the_top(opened: Window, trouble: tuple[Platform, Gateway]) -> None:
    """In the first heading of the view, with the reason and what to do; its job is below, and can be cancelled."""
    platform, page = trouble[0], opened.page
    headings = page.get_by_role("heading").all_inner_texts()
    assert headings[:2] == ["Operate", f"Nobody reads partition {PARTITION} of {platform.topic('REQUESTS')}"]
    expect(page.locator(".op-headline")).to_contain_text("1 request waits")
    expect(page.locator(".op-headline")).to_contain_text("Start replicas")
    expect(page.get_by_role("status").first).to_have_text(headings[1])
    expect(page.get_by_role("link", name="Grafana")).to_have_attribute("rel", "noreferrer")
    job = page.locator("section", has=page.get_by_role("heading", name="Jobs without an end"))
    expect(job).to_contain_text("tenant acme")
    expect(job).to_contain_text(f"partition {PARTITION}, offset 0")
    page.get_by_role("button", name=re.compile("Cancel job")).press("Enter")
    expect(page.get_by_role("button", name="No", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name=re.compile("Cancel job"))).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(job).to_contain_text("It was asked to stop.")
    assert len(platform.read_topic(platform.topic("CONTROL"))) == 1
    assert opened.complained() == []


def test_a_dead_letter_is_read_tried_and_sent(opened: Window, trouble: tuple[Platform, Gateway]) -> None:
    """By keyboard: its record decoded and harmless, a dry run that sends nothing, and then the replay."""
    platform, page = trouble[0], opened.page
    before = len(platform.requests())
    first = letter_of(page, "OBJECT_NOT_FOUND")
    first.locator("summary").press("Enter")
    shown = json.loads(first.locator(".op-json").inner_text())
    assert (shown["source"]["key"], shown["tenant"]) == ("none.mp3", "acme")
    assert first.locator(".op-said").inner_text() == "<img src=x onerror=alert(1)>\\u202etxt.exe"
    expect(first.get_by_role("link", name="Look at its trace")).to_have_attribute(
        "href", f"https://traces.example/trace/{TRACE}"
    )
    send = first.get_by_role("button", name="Send it again")
    expect(send).to_be_hidden()
    first.get_by_role("button", name="Try a replay").press("Enter")
    expect(first.locator(".op-plan")).to_contain_text(platform.topic("REQUESTS"))
    assert len(platform.requests()) == before
    send.press("Enter")
    expect(first.locator(".op-plan")).to_contain_text("It was sent to")
    assert len(platform.requests()) == before + 1
    stranger = letter_of(page, "AUDIO_EMPTY")
    stranger.locator("summary").press("Enter")
    stranger.get_by_role("button", name="Try a replay").press("Enter")
    expect(stranger.locator(".op-plan")).to_contain_text("It can’t be sent again")
    expect(stranger.get_by_role("button", name="Send it again")).to_be_hidden()
    page.get_by_label("Code").select_option("AVRO_UNDECODABLE")
    expect(page.locator("summary .badge")).to_have_text(["AVRO_UNDECODABLE"])
    letter_of(page, "AVRO_UNDECODABLE").locator("summary").press("Enter")
    expect(page.locator(".op-letter")).to_contain_text("77 byte")
    expect(page.locator(".op-letter")).to_contain_text("neither Avro")
    assert page.locator("img[src=x]").count() == 0
    assert opened.complained() == []


def test_the_last_hour_is_drawn_and_told(opened: Window) -> None:
    """Three dead letters of the hour by their codes, a choice of one, and each plot as a table too."""
    page = opened.page
    expect(page.locator(".op-sum")).to_contain_text("3 failed")
    assert len(page.get_by_role("img", name=re.compile("now")).all()) == 5
    assert page.locator(".op-bar.is-failed").count() >= 1
    outcomes = page.locator("figure", has_text="Outcomes a minute")
    outcomes.locator("details > summary").press("Enter")
    cells = outcomes.locator("tbody tr")
    expect(cells).to_have_count(60)
    assert sum(int(row.locator("td").nth(2).inner_text()) for row in cells.all()[:10]) == 3
    page.get_by_role("button", name=re.compile("AUDIO_EMPTY")).press("Enter")
    expect(page.locator("summary .badge")).to_have_text(["AUDIO_EMPTY"])


@pytest.mark.parametrize(
    ("locale", "stuck", "nobody"),
    [
        ("en-GB", "Partition 7 of stuck is stuck", "Nobody waits"),
        ("de-DE", "Partition 7 von stuck steht", "Niemand wartet"),
    ],
)
def test_every_standing_has_its_words(
    browser: Browser, trouble: tuple[Platform, Gateway], locale: str, stuck: str, nobody: str
) -> None:
    """As the API's description names them; the stuck one of forty busy partitions is the heading at the top."""
    described = trouble[1].http.get("/openapi.json").json()["components"]["schemas"]["Standing"]["enum"]
    busy = [partition(number, "worked_on", seconds=9000.0) for number in range(40) if number != 7]
    shown: list[dict[str, Any]] = []
    with window(browser, locale=locale) as made:
        made.page.route("**/v1/operator/partitions", lambda route: route.fulfill(json={"items": shown}))
        sign_in(made.page, trouble[1].url)
        section = made.page.locator(".op-live > section").first
        for standing in described:
            shown[:] = [partition(7, standing, topic=standing), *([] if standing == "clear" else busy)]
            made.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
            expect(section).to_contain_text(nobody if standing == "clear" else standing)
            told = section.inner_text()
            assert "operate." not in told, told
            assert "{" not in told, told
            if standing == "stuck":
                assert section.get_by_role("heading").inner_text() == stuck
                assert "replica-2" in told
                assert section.locator(".op-row").first.inner_text().startswith("Partition 7")


def partition(number: int, standing: str, *, topic: str = "t", seconds: float = 700.0) -> dict[str, Any]:
    """As the API tells of one."""
    is_clear = standing in ("clear", "held")
    return {
        "topic": topic, "partition": number, "messages": 0 if is_clear else 12, "seconds": 0.0 if is_clear else seconds,
        "held": 3, "held_seconds": 80.0, "standing": standing, "owner": None if standing == "nobody" else "replica-2",
    }  # fmt: skip


def test_a_gateway_that_is_gone_is_told_and_what_was_seen_stays(
    browser: Browser, trouble: tuple[Platform, Gateway]
) -> None:
    """Greyed, with its age; nobody is asked while the page is hidden, and it goes on once an answer comes."""
    with window(browser) as made:
        page = made.page
        sign_in(page, trouble[1].url)
        page.route("**/v1/operator/**", lambda route: route.abort())
        expect(page.get_by_role("alert")).to_contain_text("The service does not answer", timeout=PATIENCE_MS)
        expect(page.locator(".op-age")).to_contain_text("old")
        expect(page.locator(".op-headline")).to_contain_text(f"partition {PARTITION}")
        assert page.locator(".is-stale").count() == 4
        page.unroute_all()
        expect(page.locator(".op-stale")).to_be_hidden(timeout=PATIENCE_MS)
        expect(page.locator(".is-stale")).to_have_count(0)
        page.evaluate("""() => {
            Object.defineProperty(document, "hidden", {get: () => globalThis.isHidden ?? true});
            document.dispatchEvent(new Event("visibilitychange"));
        }""")
        page.wait_for_timeout(500)  # answers that were under way
        asked = len(made.addresses)
        page.wait_for_timeout(6000)
        assert [each for each in made.addresses[asked:] if "/operator/" in each] == []
        page.evaluate("globalThis.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")
        with page.expect_request("**/v1/operator/partitions"):
            pass


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(browser: Browser, trouble: tuple[Platform, Gateway], scheme: Any, width: int) -> None:
    """With a letter and a table open; and nothing is wider than the window."""
    with window(browser, color_scheme=scheme, viewport={"width": width, "height": 800}, locale="de-DE") as made:
        page = made.page
        sign_in(page, trouble[1].url)
        expect(page.get_by_role("heading", level=1)).to_have_text("Betrieb")
        letter_of(page, "OBJECT_NOT_FOUND").first.locator("summary").press("Enter")
        page.get_by_role("button", name="Erneutes Senden probieren").press("Enter")
        expect(page.locator(".op-plan")).to_contain_text("Das würde gesendet")
        page.locator("figure details > summary").first.press("Enter")
        check_accessible(page)
        assert made.complained() == []
