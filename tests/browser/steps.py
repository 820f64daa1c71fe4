"""What people do on the page, and what must hold wherever they are."""

import re
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Locator, Page, expect

from harness.browser import PATIENCE_S, Window
from harness.gateway import KEY

expect.set_options(timeout=PATIENCE_S * 1000)


def sign_in(page: Page, url: str, key: str = KEY) -> None:
    """Open the page, and show a key."""
    page.goto(url)
    page.get_by_label("Your key", exact=True).fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def row(page: Page, name: str) -> Locator:
    """The card of a song in the list."""
    return page.get_by_role("listitem").filter(has_text=name)


def choose(page: Page, *files: Path) -> None:
    """As by the button that opens the browser's own window."""
    page.locator("input[type=file]").set_input_files([str(path) for path in files])


def check_accessible(page: Page) -> None:
    """Nothing that axe knows to be wrong, and nothing wider than the window."""
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def check_own(opened: Window, url: str) -> None:
    """Nothing was asked of anybody else, and nothing is kept."""
    assert [each for each in opened.addresses if not each.startswith((f"{url}/", "data:", "blob:"))] == []
    kept = opened.page.evaluate(
        "async () => [{...localStorage}, {...sessionStorage}, document.cookie, await indexedDB.databases()]"
    )
    assert kept == [{}, {}, "", []]


def check_complaints(opened: Window, *expected: str) -> None:
    """What the browser has complained of is what each of these says, and nothing else."""
    told = opened.complained()
    assert [each for each in told if not any(re.search(words, each) for words in expected)] == []
