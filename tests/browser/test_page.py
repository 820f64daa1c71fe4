"""The page before the real service: signing in, sending, and the queue, as people meet them."""

import contextlib
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from harness.browser import Window, window
from harness.clips import write_clip
from harness.gateway import KEY, gateway, start_gateway
from harness.waiting import wait_for
from tests.browser.conftest import Stack
from tests.browser.steps import check_accessible, check_complaints, check_own, choose, row, sign_in

PHONE = {"width": 360, "height": 740}
UNAUTHORIZED, NOT_FOUND, CUT = "status of 401", "status of 404", "net::ERR_"


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of music."""
    return write_clip(tmp_path_factory.mktemp("songs") / "Evening song.wav", seconds=10, seed=1)


@pytest.fixture(scope="module")
def no_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that says that it is a wave, and holds no sound that anybody could read."""
    path = tmp_path_factory.mktemp("songs") / "Broken.wav"
    path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(64))
    return path


def test_a_wrong_key_says_so_and_nothing_is_kept(stack: Stack, opened: Window) -> None:
    """Neither of a wrong key nor of a right one; the field is there to try again."""
    page = opened.page
    page.goto(stack.url)
    for wrong in ("a-wrong-key", "spk_0000_wrong", "eyJhbGciOiJub25lIn0.e30.x"):
        page.get_by_label("Your key", exact=True).fill(wrong)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("This key is not known here")
        expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    page.get_by_label("Your key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.get_by_text("Drop songs here").wait_for()
    check_own(opened, stack.url)
    page.reload()
    expect(page.get_by_label("Your key", exact=True)).to_have_value("")
    assert KEY not in page.content()
    check_complaints(opened, UNAUTHORIZED)


def test_no_text_becomes_markup(stack: Stack, opened: Window) -> None:
    """The browser itself refuses it, and scripts that are not the page's own."""
    opened.page.goto(stack.url)
    opened.page.get_by_label("Your key", exact=True).wait_for()
    check_complaints(opened)
    refused = opened.page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return ''; } catch (error) { return error.name; } }"
    )
    assert refused == "TypeError"
    opened.page.evaluate("document.body.append(Object.assign(document.createElement('p'), {id: 'after'}))")
    assert "TrustedHTML" in str(opened.complained())


@pytest.mark.parametrize("kind", ["key", "token"])
def test_a_key_is_handed_over_in_the_address(kind: str, stack: Stack, opened: Window) -> None:
    """It is gone from the address and from the history at once, whether it is known or not."""
    page = opened.page
    page.goto(f"{stack.url}/#{kind}={'nobody.knows.me' if kind == 'token' else KEY}&view=/jobs/none")
    if kind == "key":
        page.get_by_role("button", name="Sign out").wait_for()
        expect(page.get_by_role("alert")).to_contain_text("There is no such job")
    else:
        expect(page.get_by_role("alert")).to_contain_text("The key that you came with is not known here")
    assert page.url == f"{stack.url}/#/jobs/none"
    page.goto("about:blank")
    page.go_back()
    page.get_by_label("Your key", exact=True).wait_for()
    assert page.url == f"{stack.url}/#/jobs/none"


def test_a_link_puts_nobody_under_another_key(stack: Stack, opened: Window) -> None:
    """Whoever is signed in stays so; what the link handed over is gone all the same."""
    page = opened.page
    page.goto(f"{stack.url}/#key={KEY}&view=/")
    page.get_by_role("button", name="Sign out").wait_for()
    with page.expect_event("framenavigated"):
        page.evaluate("location.hash = '#key=nobody.knows.me&view=/jobs/none'")
    expect(page.get_by_role("alert")).to_contain_text("There is no such job")  # asked with the key from before
    assert page.url == f"{stack.url}/#/jobs/none"


def test_from_a_file_to_its_stems_here_and_in_another_browser(
    stack: Stack, browser: Browser, opened: Window, song: Path, no_song: Path
) -> None:
    """Several files at once; one that fails says why in plain words, in both languages; each reader sees the same."""
    page = opened.page
    sign_in(page, stack.url)
    choose(page, song, no_song)
    with window(browser, locale="de-DE", color_scheme="dark", viewport=PHONE) as other:
        other.page.goto(f"{stack.url}/#key={KEY}")
        expect(row(page, song.name)).to_contain_text("Ready")
        expect(row(page, no_song.name)).to_contain_text("No audio could be read from the file.")
        expect(row(page, no_song.name)).to_contain_text("AUDIO_UNDECODABLE")
        expect(row(other.page, song.name)).to_contain_text("Fertig")
        expect(row(other.page, no_song.name)).to_contain_text("In der Datei ließ sich kein Ton lesen.")
        assert other.page.locator("html").get_attribute("lang") == "de"
        check_accessible(other.page)
        check_complaints(other)
    check_accessible(page)
    row(page, no_song.name).get_by_role("link", name=no_song.name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(no_song.name)
    check_accessible(page)
    page.go_back()
    row(page, song.name).get_by_role("link", name="Listen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(song.name)
    expect(page).to_have_title(re.compile(song.name))
    page.reload()
    page.get_by_label("Your key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(song.name)
    check_own(opened, stack.url)
    check_complaints(opened)
    [job] = [
        each for each in stack.http.get("/v1/separations").json()["items"] if each["metadata"].get("file") == song.name
    ]
    assert (job["state"], job["request"]["model"], job["request"]["output"]["format"]) == ("succeeded", "2stems", "wav")


def test_by_keyboard_alone_on_a_phone(stack: Stack, browser: Browser) -> None:
    """Everything between sign-in and an answer is reached by Tab, and shows where one is."""
    with window(browser, viewport=PHONE, color_scheme="dark", reduced_motion="reduce") as opened:
        page = opened.page
        page.goto(stack.url)
        expect(page.get_by_label("Your key", exact=True)).to_be_focused()
        check_accessible(page)
        page.keyboard.type(KEY)
        page.keyboard.press("Enter")
        page.get_by_text("Drop songs here").wait_for()
        reach(page, "4stems", "input")
        page.keyboard.press("Space")
        reach(page, "Name an object", "summary")
        page.keyboard.press("Enter")
        reach(page, "object-key", "input")
        page.keyboard.type("not-there.wav")
        reach(page, "Send", "button")
        page.keyboard.press("Enter")
        expect(row(page, "not-there.wav")).to_contain_text("The file was not there.")
        expect(page.get_by_role("button", name="Send")).to_be_focused()
        check_accessible(page)
        check_complaints(opened)


def reach(page: Page, name: str, kind: str) -> None:
    """By Tab (and within a group of choices by the arrows) to what has this name, id or value; each has an outline."""
    for _ in range(60):
        page.keyboard.press("ArrowDown" if kind == "input" and _is_radio(page) else "Tab")
        found = page.evaluate(
            """() => {
              const at = document.activeElement, shown = at.closest("label") ?? at;
              const marked = [at, shown, at.parentElement.querySelector("label")].filter(Boolean);
              return {kind: at.localName, words: [at.id, at.value, at.textContent.trim()].join(" "),
                      outlined: marked.some((each) => getComputedStyle(each).outlineStyle !== "none")};
            }"""
        )
        assert found["outlined"], found
        if found["kind"] == kind and name in found["words"]:
            return
    raise AssertionError(f"{name} is not reached")


def _is_radio(page: Page) -> bool:
    return bool(
        page.evaluate("document.activeElement.type === 'radio' && !document.activeElement.value.startsWith('4')")
    )


def test_a_cut_upload_goes_on_where_it_was(stack: Stack, opened: Window, tmp_path: Path) -> None:
    """Only what did not arrive is sent again; and there is one job of it, also where its answer was lost."""
    page, long = opened.page, write_clip(tmp_path / "Long song.wav", seconds=55, seed=2)  # of two parts
    sent: list[str] = []
    is_cut, asked = [True], [0]

    def part(route: Route) -> None:
        number = route.request.url.rpartition("/")[2]
        sent.append(number)
        if number == "2" and is_cut[0]:
            route.abort("connectionreset")
        else:
            route.continue_()

    def ask(route: Route) -> None:
        if route.request.method == "POST" and not asked[0]:
            asked[0] += 1
            route.fetch()  # it arrives, and its answer does not
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/v1/uploads/*/parts/*", part)
    page.route("**/v1/separations", ask)
    sign_in(page, stack.url)
    page.get_by_text("More options").click()
    page.get_by_label("Length").fill("0:02")
    choose(page, long)
    expect(row(page, long.name)).to_contain_text("The connection is interrupted.")
    check_accessible(page)
    with page.expect_request("**/parts/2"):
        row(page, long.name).get_by_role("button", name="Try now").click()
    is_cut[0] = False
    expect(row(page, long.name)).to_contain_text("Ready")
    assert sent.count("1") == 1
    assert sent.count("2") >= 2
    jobs = [
        each for each in stack.http.get("/v1/separations").json()["items"] if each["metadata"].get("file") == long.name
    ]
    assert [(job["state"], job["request"]["duration_s"]) for job in jobs] == [("succeeded", 2.0)]
    check_complaints(opened, CUT)


def test_an_upload_is_cancelled(stack: Stack, opened: Window, song: Path) -> None:
    """Nothing of it is left, neither on the page nor in the store."""
    page = opened.page
    page.route("**/v1/uploads/*/parts/*", lambda route: route.abort("connectionreset"))
    sign_in(page, stack.url)
    before = len(stack.http.get("/v1/separations").json()["items"])
    choose(page, song)
    expect(row(page, "Interrupted")).to_be_visible()
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as removed:
        page.get_by_role("button", name=f"Cancel the upload of {song.name}").click()
    assert removed.value.status == 204
    expect(row(page, "Interrupted")).to_have_count(0)
    assert len(stack.http.get("/v1/separations").json()["items"]) == before


def test_files_that_can_not_be_sent_say_so_at_once(stack: Stack, opened: Window, tmp_path: Path) -> None:
    """An empty one before anything is asked; what is no audio once the service has seen it; a time that is none."""
    page, empty, picture = opened.page, tmp_path / "empty.wav", tmp_path / "picture.mp3"
    empty.touch()
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    sign_in(page, stack.url)
    choose(page, empty, picture)
    expect(page.get_by_text("“empty.wav” is empty.")).to_be_visible()
    drop(page, "dropped.wav")
    expect(page.get_by_text("“dropped.wav” is empty.")).to_be_visible()
    expect(row(page, picture.name)).to_contain_text("This is no audio file")
    check_accessible(page)
    row(page, picture.name).get_by_role("button", name="Remove").click()
    expect(row(page, picture.name)).to_have_count(0)
    page.get_by_text("More options").click()
    page.get_by_label("From").fill("half past one")
    choose(page, picture)
    expect(page.get_by_text("This is no time.")).to_be_visible()
    expect(page.get_by_label("From")).to_be_focused()
    expect(row(page, picture.name)).to_have_count(0)


def drop(page: Page, name: str) -> None:
    """An empty file, somewhere on the page."""
    page.evaluate(
        """(name) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([], name));
          for (const kind of ["dragenter", "dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true}));
        }""",
        name,
    )


@pytest.fixture(scope="module")
def tenants(stack: Stack) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of another gateway, which sends clients to the store, and keys that it knows, by name."""
    file = str(stack.platform.folder / "keys.json")
    made = {
        name: stack.platform.run("keys", "create", name, "--file", file, *options).stdout.strip()
        for name, options in {
            "writer": ("--tenant", "other"),
            "reader": ("--tenant", "acme", "--scope", "separations:read"),
            "operator": ("--scope", "operate"),
        }.items()
    }
    store = stack.platform.environment["MINIO_ENDPOINT"]
    with gateway(stack.platform, API_KEYS_FILE=file, MINIO_PUBLIC_ENDPOINT=store) as door:
        yield door.url, made


def test_a_key_shows_what_it_allows(stack: Stack, browser: Browser, tenants: tuple[str, dict[str, str]]) -> None:
    """A reader of another tenant's sees no job of ours, and can send none; an operator has a view of their own."""
    url, keys = tenants
    body = {"source": {"bucket": stack.platform.source_bucket, "key": "none.wav"}}
    ours = stack.http.post("/v1/separations", json=body).json()["id"]
    with window(browser) as opened:
        page = opened.page
        sign_in(page, f"{url}/#/jobs/{ours}", keys["reader"])
        expect(page.get_by_role("alert")).to_contain_text("There is no such job, or it belongs to somebody else.")
        check_accessible(page)
        page.get_by_role("link", name="All songs").click()
        expect(page.get_by_text("Nothing here yet.")).to_be_visible()
        expect(page.get_by_text("Your key lets you look, but not send.")).to_be_visible()
        expect(page.get_by_role("link", name="Operate")).to_have_count(0)
        page.goto(f"{url}/#/operate")
        expect(page.get_by_role("heading", name="Not for this key")).to_be_visible()
        check_complaints(opened, NOT_FOUND)
    with window(browser) as opened:
        sign_in(opened.page, url, keys["operator"])
        expect(opened.page.get_by_role("link", name="Operate")).to_be_visible()
        expect(opened.page.get_by_text("Your key lets you look, but not send.")).to_be_visible()
        check_complaints(opened)


def test_files_go_to_the_store_or_through_the_gateway_where_it_does_not_answer(
    stack: Stack, opened: Window, tenants: tuple[str, dict[str, str]], song: Path
) -> None:
    """The policy lets the store in that links lead to, which never sees the key; without it, files arrive too."""
    (url, keys), page, store = tenants, opened.page, f"http://{stack.platform.environment['MINIO_ENDPOINT']}"
    sign_in(page, url, keys["writer"])
    with page.expect_request(lambda asked: asked.method == "PUT") as direct:
        choose(page, song)
    assert direct.value.url.startswith(f"{store}/")
    assert keys["writer"] not in str(direct.value.all_headers())
    expect(row(page, "Ready")).to_have_count(1)
    page.route(f"{store}/**", lambda route: route.abort("connectionrefused"))
    with page.expect_request(lambda asked: asked.method == "PUT" and asked.url.startswith(f"{url}/v1/uploads/")):
        choose(page, song)
    expect(row(page, "Ready")).to_have_count(2)
    check_complaints(opened, CUT)


def test_a_job_that_waits_tells_its_place_and_can_be_cancelled(stack: Stack, opened: Window, song: Path) -> None:
    """While nobody takes anything; then it is told in the list and in its own view that it was cancelled."""
    page, replica = opened.page, stack.replica.process
    key = stack.platform.upload(song, "a-queue.wav")
    sign_in(page, stack.url)
    page.get_by_text("Name an object").click()
    replica.send_signal(signal.SIGSTOP)
    try:
        for name in (key, "a-queue-of-two.wav"):
            page.get_by_label("Key", exact=True).fill(name)
            page.get_by_role("button", name="Send", exact=True).click()
            expect(row(page, name)).to_contain_text("Queued")
        expect(row(page, key)).to_contain_text(re.compile("Next in line|Waiting"))
        expect(row(page, "a-queue-of-two.wav")).to_contain_text("One job before it")
        check_accessible(page)
        row(page, key).get_by_role("link", name=key).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(key)
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("link", name="All songs").click()
    finally:
        replica.send_signal(signal.SIGCONT)
    expect(row(page, key)).to_contain_text("Cancelled")
    expect(row(page, "a-queue-of-two.wav")).to_contain_text("The file was not there.")
    expect(row(page, key).get_by_role("button")).to_have_count(0)
    check_complaints(opened)


def test_older_jobs_are_read_page_by_page(stack: Stack, opened: Window) -> None:
    """Each once, also where one of them was looked at before the list."""
    names = [f"older-{number}.wav" for number in range(22)]
    made = [
        stack.http.post(
            "/v1/separations", json={"source": {"bucket": stack.platform.source_bucket, "key": name}}
        ).json()
        for name in names
    ]
    page, older = opened.page, opened.page.get_by_role("button", name="Show older ones")
    sign_in(page, f"{stack.url}/#/jobs/{made[-1]['id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text(names[-1])
    page.get_by_role("link", name="All songs").click()
    expect(row(page, names[-1])).to_have_count(1)
    expect(row(page, names[0])).to_have_count(0)
    older.click()
    for name in (names[0], names[-1]):
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(1)


def test_a_restart_of_the_gateway_is_lived_through(stack: Stack, opened: Window) -> None:
    """One stream of events goes on where it was cut: what came meanwhile is shown, without a reload."""
    page, platform = opened.page, stack.platform
    sign_in(page, stack.url)
    expect(page.get_by_role("heading", name="Your songs")).to_be_visible()
    expect(page.get_by_text("Loading your songs")).to_be_hidden()
    stack.door.process.process.terminate()
    stack.door.process.process.wait(60)
    expect(page.get_by_text("No connection to the service")).to_be_visible()
    check_accessible(page)
    meanwhile = platform.request("while-it-was-away.wav")
    wait_for(lambda: meanwhile.request_id in {each.request_id for each in platform.read_outcomes()})
    port = stack.door.process.port
    start_gateway(platform, {"HTTP_PORT": str(port)})
    wait_for(lambda: _answers(stack))
    expect(row(page, "while-it-was-away.wav")).to_contain_text("The file was not there.")
    expect(page.get_by_text("No connection to the service")).to_be_hidden()
    streams = [each for each in opened.addresses if each.endswith("/v1/events")]
    assert len(streams) >= 2
    after = len(opened.addresses)
    stack.http.post("/v1/separations", json={"source": {"bucket": platform.source_bucket, "key": "afterwards.wav"}})
    expect(row(page, "afterwards.wav")).to_contain_text("The file was not there.")
    assert not [each for each in opened.addresses[after:] if each.endswith("/events")], "one stream is enough"
    check_complaints(opened, CUT, "status of 50")


def _answers(stack: Stack) -> bool:
    with contextlib.suppress(Exception):
        return stack.http.get("/ready").is_success
    time.sleep(0.2)
    return False
