"""A real browser without a window, driven by WebDriver (https://www.w3.org/TR/webdriver2/): Debian's Chromium."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from devstack.service import free_port
from devstack.system import provide

PATIENCE_S = 60.0  # before a test gives up; never a measure of speed
_PACKAGES = {"chromium": "chromium", "chromedriver": "chromium-driver"}
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
)


class Browser:
    """One window."""

    def __init__(self, session: httpx2.Client) -> None:
        self._session = session

    def open(self, url: str) -> None:
        """Returns once the page is loaded."""
        self._ask("url", url=url)

    def run(self, script: str, *values: object) -> Any:
        """What a function's body returns, with `values` as its `arguments`."""
        return self._ask("execute/sync", script=script, args=list(values))

    def wait_for(self, script: str, *values: object) -> Any:
        """What it returns once that is true. Raises AssertionError where it never is."""
        until = time.monotonic() + PATIENCE_S
        while not (found := self.run(script, *values)):
            assert time.monotonic() < until, f"never true: {script}\n{self.run('return document.body.innerText')}"
            time.sleep(0.1)
        return found

    def complaints(self) -> list[str]:
        """What the browser has complained of since this was last asked, such as what a policy forbids."""
        told = self._ask("se/log", type="browser")
        return [f"{line['level']}: {line['message']}" for line in told if line["level"] in ("WARNING", "SEVERE")]

    def _ask(self, path: str, **body: object) -> Any:
        answer = self._session.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()["value"]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A new one, whose profile lies in `folder`."""
    provide(_PACKAGES)
    port = free_port()
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as http:
            _wait_ready(http)
            options = {"args": [*_FLAGS, f"--user-data-dir={folder}"]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            made = http.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
            assert made.is_success, made.text
            place = f"/session/{made.json()['value']['sessionId']}"
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}{place}/", timeout=PATIENCE_S) as session:
                try:
                    yield Browser(session)
                finally:
                    http.delete(place)
    finally:
        driver.terminate()
        driver.wait(30)


def _wait_ready(http: httpx2.Client) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            if http.get("/status").json()["value"]["ready"]:
                return
        except httpx2.TransportError:
            pass
        assert time.monotonic() < until, "chromedriver does not get ready"
        time.sleep(0.1)
