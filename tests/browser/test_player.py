"""The player as people use it: by hand, by keyboard and by ear, also where stems are late, gone or kept elsewhere."""

import math
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from harness.browser import PATIENCE_S, Window, window
from tests.browser.player_page import mount
from tests.browser.song_server import JOB, Song, WavStem, served
from tests.browser.steps import check_accessible

NAMES = ("vocals", "drums", "bass")
RATE_HZ = 44100
LENGTH_S = 61
PATIENCE_MS = PATIENCE_S * 1000
_IS_DRAWN = """
(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0)
"""
# All keys in one turn, and back once every move of theirs has ended and is drawn.
_PRESS_AT_ONCE = """
async (keys) => {
  for (const key of keys) document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (let drawn = 0; drawn < 2; drawn += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
}
"""


def stems(seconds: float = LENGTH_S) -> list[WavStem]:
    return [WavStem(name=name, seed=seed, frames=int(seconds * RATE_HZ)) for seed, name in enumerate(NAMES)]


@pytest.fixture
def song() -> Iterator[Song]:
    overview = [abs(math.sin(n / 40)) for n in range(1300)]
    with served(*stems(), overviews=dict.fromkeys(NAMES, overview)) as running:
        yield running


@pytest.fixture
def quiet(opened: Window, song: Song) -> Iterator[Page]:
    """A page in which the browser has nothing to complain of, looked at before its song's server ends."""
    yield opened.page
    assert opened.complained() == []


def state(page: Page, wanted: str) -> None:
    expect(page.locator(".player-play")).to_have_attribute("data-state", wanted, timeout=PATIENCE_MS)


def seconds(page: Page) -> float:
    return float(page.locator(".player-seek").input_value())


def pressed(button: Locator) -> bool:
    return button.get_attribute("aria-pressed") == "true"


def test_everything_can_be_done_by_keys_alone(quiet: Page, song: Song) -> None:
    """Each shortcut does what the help says that it does, and the place is spoken."""
    page = quiet
    mount(page, song)
    page.keyboard.press("k")
    state(page, "playing")
    expect(page.locator(".player-now")).to_have_text("0:01", timeout=PATIENCE_MS)
    page.keyboard.press(" ")
    state(page, "paused")
    before = seconds(page)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".player-seek")).to_have_attribute("aria-valuetext", "6 seconds of 1 minute 1 second")
    assert seconds(page) == pytest.approx(before + 5, abs=0.11)
    page.keyboard.press("[")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("]")
    loop = page.get_by_role("button", name="Loop", exact=True)
    expect(loop).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("l")
    expect(loop).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("0")
    expect(page.locator(".player-seek")).to_have_attribute("aria-valuetext", "0 seconds of 1 minute 1 second")
    page.keyboard.press("2")
    page.keyboard.press("m")
    assert pressed(page.get_by_role("button", name="Mute Drums"))
    page.keyboard.press("n")
    page.keyboard.press("s")
    assert pressed(page.get_by_role("button", name="Solo Bass"))
    page.keyboard.press("p")
    page.keyboard.press("p")
    page.keyboard.press("-")
    volume = page.get_by_role("slider", name="Volume of Vocals")
    expect(volume).to_have_attribute("aria-valuetext", "95 percent, −0.9 dB")
    page.keyboard.press("+")
    expect(volume).to_have_attribute("aria-valuetext", "100 percent, 0.0 dB")
    with page.expect_download() as download:
        page.keyboard.press("d")
    assert download.value.suggested_filename == "vocals.wav"
    page.keyboard.press("?")
    expect(page.get_by_text("Hear the chosen stem alone")).to_be_visible()


def test_shortcuts_are_off_where_text_is_written_and_where_they_are_not_wanted(quiet: Page, song: Song) -> None:
    """Nor do they take what a browser's own shortcuts are, or what a focused button is pressed by."""
    page = quiet
    mount(page, song)
    page.evaluate(
        "document.querySelector('main').append(document.createElement('input'), document.createElement('textarea'))"
    )
    mute = page.get_by_role("button", name="Mute Vocals")
    for place in ("main > input", "main > textarea", "[data-stem=vocals] .stem-volume", ".player-seek"):
        page.focus(place)
        page.keyboard.press("m")
        page.keyboard.press("k")
    page.locator("h1").click()
    page.keyboard.press("Control+m")
    page.keyboard.press("Alt+m")
    assert not pressed(mute)
    state(page, "paused")
    mute.focus()
    page.keyboard.press(" ")  # presses the button, and does not play
    assert pressed(mute)
    state(page, "paused")
    page.keyboard.press("?")
    page.get_by_label("Shortcuts work on this page").uncheck()
    page.locator("h1").click()
    page.keyboard.press("m")
    assert pressed(mute)
    page.keyboard.press("k")
    state(page, "paused")


def test_the_position_slider_is_moved_by_its_own_keys(quiet: Page, song: Song) -> None:
    """Five seconds by arrows, thirty by pages, and to both ends, as screen readers' users expect."""
    page = quiet
    mount(page, song)
    slider = page.get_by_role("slider", name="Position")
    slider.focus()
    for key, spoken in (
        ("ArrowRight", "5 seconds"), ("PageUp", "35 seconds"), ("ArrowDown", "30 seconds"), ("PageDown", "0 seconds"),
        ("End", "1 minute 1 second"), ("Home", "0 seconds"),
    ):  # fmt: skip
        page.keyboard.press(key)
        expect(slider).to_have_attribute("aria-valuetext", f"{spoken} of 1 minute 1 second", timeout=PATIENCE_MS)


def test_a_press_on_a_waveform_moves_and_a_stroke_loops(quiet: Page, song: Song) -> None:
    """Drawn at once from the overview; what was fetched is drawn finer."""
    page = quiet
    mount(page, song)
    wave = page.locator("[data-stem=drums] .wave")
    box = wave.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
    expect(page.locator(".player-now")).to_have_text("0:30", timeout=PATIENCE_MS)
    box = wave.bounding_box()  # its place and width may have changed as more was shown
    assert box is not None
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 10)
    page.mouse.up()
    expect(page.get_by_role("button", name="Loop", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".player-span")).to_have_text(re.compile(r"^0:15\..* – 0:30\."), timeout=PATIENCE_MS)
    expect(page.locator(".player-now")).to_have_text("0:15", timeout=PATIENCE_MS)
    assert wave.locator("canvas").evaluate(_IS_DRAWN)


def test_a_loop_holds_what_is_still_being_moved(quiet: Page, song: Song) -> None:
    """Where somebody moves to its end and closes it at once, playback is in it, and not where it was moved to."""
    mount(quiet, song)
    slider = quiet.get_by_role("slider", name="Position")
    slider.focus()
    quiet.keyboard.press("PageUp")
    expect(quiet.locator(".player-now")).to_have_text("0:30", timeout=PATIENCE_MS)
    quiet.locator("h1").click()
    quiet.evaluate(_PRESS_AT_ONCE, ["[", "ArrowRight", "]"])
    expect(quiet.locator(".player-span")).to_have_text(re.compile(r"^0:30\..* – 0:35\."), timeout=PATIENCE_MS)
    expect(quiet.locator(".player-now")).to_have_text("0:30")


def test_at_the_end_it_stops_and_begins_anew(opened: Window) -> None:
    page = opened.page
    with served(*stems(1.5)) as song:
        mount(page, song)
        page.click(".player-play")
        state(page, "playing")
        state(page, "paused")
        expect(page.locator(".player-now")).to_have_text("0:01")
        page.click(".player-play")
        state(page, "playing")
        assert opened.complained() == []


def lose(song: Song, part: str, code: str) -> None:
    """Whatever has this part in its path is answered by 410."""

    def fault(song: Song, path: str, handler: Any) -> bool:
        if is_lost := part in path:
            handler.problem(410, code)
        return is_lost

    song.fault = fault


def test_a_stem_that_is_gone_says_so_and_the_others_play(opened: Window, song: Song) -> None:
    """As after a forgetting, or once the store has dropped it."""
    lose(song, "/stems/drums", "STEMS_GONE")
    mount(opened.page, song)
    expect(opened.page.locator("[data-stem=drums] .stem-note")).to_have_text("It is not in the store any more.")
    opened.page.click(".player-play")
    state(opened.page, "playing")
    assert [each for each in opened.complained() if "410" not in each] == []


def go_behind_five_seconds(song: Song, gone: set[str]) -> None:
    """Of these stems only the first five seconds are there."""

    def fault(song: Song, path: str, handler: Any) -> bool:
        first = int((handler.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        is_gone = first > 5 * 4 * RATE_HZ and path.rpartition("/")[2] in gone
        if is_gone:
            handler.problem(410, "FORGOTTEN")
        return is_gone

    song.fault = fault


def test_a_stem_that_goes_before_anything_is_played(opened: Window, song: Song) -> None:
    """What was fetched of it is heard to its end, and the others play on."""
    go_behind_five_seconds(song, {"drums"})
    mount(opened.page, song)
    expect(opened.page.locator(".stem-note:visible")).to_have_count(1, timeout=PATIENCE_MS)
    opened.page.click(".player-play")
    state(opened.page, "playing")
    assert [each for each in opened.complained() if "410" not in each] == []


def test_stems_that_go_while_they_play_say_so(opened: Window, song: Song) -> None:
    """As where somebody forgets the song meanwhile: one alone is left out, and once all are gone it ends."""
    gone = {"drums"}
    go_behind_five_seconds(song, gone)
    mount(opened.page, song)
    notes = opened.page.locator(".stem-note:visible")
    opened.page.click(".player-play")
    state(opened.page, "playing")
    opened.page.get_by_role("slider", name="Position").focus()
    opened.page.keyboard.press("PageUp")
    expect(notes).to_have_count(1, timeout=PATIENCE_MS)
    state(opened.page, "playing")
    gone |= set(NAMES)
    opened.page.keyboard.press("PageDown")
    opened.page.keyboard.press("PageUp")
    expect(notes).to_have_count(len(NAMES), timeout=PATIENCE_MS)
    state(opened.page, "paused")


def test_where_no_stem_can_be_had_it_says_so(opened: Window, song: Song) -> None:
    lose(song, "/stems/", "FORGOTTEN")
    mount(opened.page, song)
    expect(opened.page.locator(".player-status")).to_have_text("No stem of this song can be played.")
    opened.page.click(".player-play")
    state(opened.page, "paused")


def test_a_cut_network_is_waited_for_and_it_goes_on(opened: Window, song: Song) -> None:
    """Answers that break off, errors of servers, and none at all: it says that it tries again, until it works."""
    cut = threading.Event()
    tries: list[int] = []

    def fault(song: Song, path: str, handler: BaseHTTPRequestHandler) -> bool:
        if not path.endswith("/stems/bass") or cut.is_set():
            return False
        tries.append(1)
        if len(tries) % 3 == 1:
            handler.problem(503, "UNAVAILABLE")  # type: ignore[attr-defined]
        elif len(tries) % 3 == 2:
            handler.send_response(206)
            handler.send_header("Content-Length", "1024")
            handler.end_headers()
            handler.wfile.write(b"RIFF")
            handler.close_connection = True
        else:
            handler.close_connection = True  # without a word
        return True

    song.fault = fault
    mount(opened.page, song)
    note = opened.page.locator("[data-stem=bass] .stem-note")
    expect(note).to_contain_text("Trying again", timeout=PATIENCE_MS)
    opened.page.click(".player-play")
    while len(tries) < 3:
        opened.page.wait_for_timeout(50)
    state(opened.page, "paused")  # the others don't begin alone
    cut.set()
    state(opened.page, "playing")
    expect(note).to_be_hidden()


def test_the_key_is_never_sent_to_the_store(opened: Window, song: Song) -> None:
    """Where links lead elsewhere the stems come from there, without a key, and so do their downloads."""
    with served(*stems()) as store:
        store.fault = allow_other_pages
        song.links = {name: f"{store.url}/v1/separations/{JOB}/stems/{name}" for name in NAMES}
        song.policy = song.policy.replace("connect-src 'self'", f"connect-src 'self' {store.url}")
        mount(opened.page, song)
        opened.page.click(".player-play")
        state(opened.page, "playing")
        with opened.page.expect_download() as download:
            opened.page.get_by_role("button", name="Download Drums").click()
        assert download.value.path().stat().st_size == song.stems["drums"].size_bytes
        assert opened.complained() == []
        assert {path.rpartition("/")[2] for path, range_ in store.asked if range_} == set(NAMES)
        assert set(store.keys) == {None}
        links = [key for (path, _), key in zip(song.asked, song.keys, strict=True) if path.endswith("/link")]
        assert set(links) == {"the-key"}
        assert not any(range_ for _, range_ in song.asked)  # the gateway was spared


def test_a_store_that_does_not_let_pages_in_is_gone_around(opened: Window, song: Song) -> None:
    """Without a CORS rule of the store's the gateway gives the stems; the store never sees the key."""
    with served(*stems()) as store:
        song.links = {name: f"{store.url}/v1/separations/{JOB}/stems/{name}" for name in NAMES}
        song.policy = song.policy.replace("connect-src 'self'", f"connect-src 'self' {store.url}")
        mount(opened.page, song)
        opened.page.click(".player-play")
        state(opened.page, "playing")
        expect(opened.page.locator(".stem-note:visible")).to_have_count(0, timeout=PATIENCE_MS)
        assert set(store.keys) == {None}
        assert {path.rpartition("/")[2] for path, range_ in song.asked if range_} == set(NAMES)
        assert [each for each in opened.complained() if "CORS" not in each and "ERR_FAILED" not in each] == []


def test_a_link_that_has_run_out_is_asked_for_anew(opened: Window, song: Song) -> None:
    """The store refuses an old link; the gateway gives a new one, and nobody notices."""
    with served(*stems()) as store:
        store.fault = allow_other_pages
        refused = {name: f"{store.url}/expired/{name}" for name in NAMES}
        good = {name: f"{store.url}/v1/separations/{JOB}/stems/{name}" for name in NAMES}
        song.links = dict(refused)
        song.policy = song.policy.replace("connect-src 'self'", f"connect-src 'self' {store.url}")

        def fault(song: Song, path: str, handler: Any) -> bool:
            if path.endswith("/link") and sum(asked == path for asked, _ in song.asked) > 1:
                song.links = good
            return False

        song.fault = fault
        mount(opened.page, song)
        opened.page.click(".player-play")
        state(opened.page, "playing")
        expect(opened.page.locator(".stem-note:visible")).to_have_count(0, timeout=PATIENCE_MS)


def allow_other_pages(song: Song, path: str, handler: Any) -> bool:
    """A fault that is none: a store's CORS rule."""
    handler.extra = {"Access-Control-Allow-Origin": "*"}
    if path.startswith("/expired/"):
        handler.problem(403, "AccessDenied")
        return True
    return False


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width_px", [360, 1280])
def test_the_player_is_for_everyone(browser: Browser, song: Song, scheme: Any, width_px: int) -> None:
    """axe finds nothing in it, muted, alone and looping, its help open; nothing sticks out at the side."""
    size: Any = {"width": width_px, "height": 740}
    with window(browser, color_scheme=scheme, viewport=size, reduced_motion="reduce") as opened:
        page = opened.page
        mount(page, song, "de" if scheme == "dark" else "en")
        page.locator("[data-stem=drums] .toggle").first.click()
        page.locator("[data-stem=bass] .toggle").last.click()
        page.keyboard.press("l")
        page.keyboard.press("?")
        check_accessible(page)


def test_nothing_sounds_and_nothing_is_asked_for_once_it_is_gone(quiet: Page, song: Song) -> None:
    mount(quiet, song)
    quiet.click(".player-play")
    state(quiet, "playing")
    quiet.evaluate("window.player.destroy()")
    expect(quiet.locator(".player")).to_have_count(0)
    quiet.wait_for_timeout(300)
    asked = len(song.asked)
    quiet.keyboard.press("k")
    quiet.wait_for_timeout(700)
    assert len(song.asked) == asked
