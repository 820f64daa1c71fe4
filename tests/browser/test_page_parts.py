"""Parts of the page by themselves, in a browser, without a service behind them."""

import pytest
from playwright.sync_api import Page, Route

from consumer.gateway.page.files import page_files
from harness.browser import Window

ADDRESS = "http://page.test"


@pytest.fixture
def parts(opened: Window) -> Page:
    """An empty page that can import the page's modules."""
    files = page_files()

    def answer(route: Route) -> None:
        file = files.get(route.request.url.removeprefix(f"{ADDRESS}/page/"))
        if file is None:
            route.fulfill(body="", content_type="text/html")
        else:
            route.fulfill(body=file.content, content_type=file.media_type)

    opened.page.route(f"{ADDRESS}/**", answer)
    opened.page.goto(ADDRESS)
    return opened.page


def test_changes_are_spoken_at_most_every_ten_seconds(parts: Page) -> None:
    """The first at once; those that come too soon together, and the same words once."""
    parts.clock.install()
    parts.evaluate(
        """async () => {
          const {Announcer} = await import("/page/shell/announcer.js");
          const announcer = new Announcer(window.region = document.createElement("div"));
          window.say = (words) => announcer.say(words);
        }"""
    )
    said = []
    for words, wait_ms in (("one", 1), ("two", 5_000), ("three", 4_000), ("two", 2_000), ("four", 9_000)):
        parts.evaluate("(words) => window.say(words)", words)
        parts.clock.run_for(wait_ms)
        said.append(parts.evaluate("window.region.textContent"))
    assert said == ["one", "one", "one", "two three", "four"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_events_are_read_however_they_are_cut(end: str, parts: Page) -> None:
    """As https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation has them."""
    lines = [
        "retry: 1000",
        "id: a",
        "",
        ": keep-alive",
        "id: b",
        "",
        "event: progress",
        "id: c",
        'data: {"x":',
        "data: 1}",
    ]
    stream = end.join([*lines, "", "event: failed", 'data:{"y":2}', "id", "", "data: never whole", ""])
    told = parts.evaluate(
        """async (stream) => {
          const {EventParser} = await import("/page/event_stream.js");
          const all = [];
          for (let size = 1; size <= stream.length; size++) {
            const events = [], parser = new EventParser((event) => events.push(event));
            for (let at = 0; at < stream.length; at += size) parser.push(stream.slice(at, at + size));
            all.push(JSON.stringify([events, parser.lastEventId]));
          }
          return [...new Set(all)].map(JSON.parse);
        }""",
        stream,
    )
    assert told == [[[{"name": "progress", "data": {"x": 1}}, {"name": "failed", "data": {"y": 2}}], ""]]


def test_times_as_people_type_them(parts: Page) -> None:
    """Seconds, minutes and hours; nothing is no time, and what is none is told."""
    times = {"": None, " 90 ": 90, "1:30": 90, "0:00": 0, "1:02:03": 3723, "0:1.5": 1.5, "2,25": 2.25}
    none = ["a", "1:60", "1:-2", "-3", "1::2", ":30", "1:2:3:4", "1e3", "½", "Infinity", "0x10", "1:30 min"]
    read = parts.evaluate(
        """async (typed) => {
          const {parseTime} = await import("/page/shell/time_field.js");
          return typed.map((words) => [words, Number.isNaN(parseTime(words)) ? "none" : parseTime(words)]);
        }""",
        [*times, *none],
    )
    assert dict(read) == {**times, **dict.fromkeys(none, "none")}
