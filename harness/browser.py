"""A real browser without a window, driven by Playwright: Debian's Chromium.

While one is open, the thread's asyncio loop is Playwright's own: whatever needs another one runs in another thread.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from devstack.system import provide

PATIENCE_S = 60.0  # before a test gives up; never a measure of speed
_PACKAGES = {"chromium": "chromium"}
_FLAGS = ("--disable-dev-shm-usage", "--disable-background-networking", "--enable-precise-memory-info")


@dataclass(slots=True, kw_only=True)
class Window:
    """A page with a profile of its own, what the browser has complained of in it, and each address it has asked for.

    Complaints are warnings and errors on the console, such as what a policy forbids, and whatever a script has thrown.
    """

    page: Page
    complaints: list[str]
    addresses: list[str]

    def complained(self) -> list[str]:
        """What has come since this was last asked."""
        self.page.evaluate("0")  # whatever was said before has arrived by then
        told, self.complaints[:] = list(self.complaints), []
        return told


@contextmanager
def chromium(flags: Sequence[str] = ()) -> Iterator[Browser]:
    """A browser, with further `flags` of Chromium's; ended afterwards."""
    provide(_PACKAGES)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*_FLAGS, *flags], chromium_sandbox=False
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(browser: Browser, **options: Any) -> Iterator[Window]:
    """A new one, which knows nothing of others; `options` are those of Playwright's `new_context`."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_S * 1000)
    try:
        page = context.new_page()
        opened = Window(page=page, complaints=[], addresses=[])

        def hear(message: ConsoleMessage) -> None:
            if message.type in ("warning", "error"):
                opened.complaints.append(f"{message.type}: {message.text}")

        page.on("console", hear)
        page.on("pageerror", lambda error: opened.complaints.append(f"thrown: {error}"))
        page.on("request", lambda request: opened.addresses.append(request.url))
        yield opened
    finally:
        context.close()
