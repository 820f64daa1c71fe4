"""What the tests of the page rely on: the browser tells what it refuses, and where it has been."""

from harness.browser import Window
from tests.browser.conftest import Stack


def test_a_window_tells_what_was_asked_for_and_what_was_refused(stack: Stack, opened: Window) -> None:
    """The gateway's own page is quiet; what its policy forbids, and what a script throws, is heard of."""
    opened.page.goto(f"{stack.url}/docs")
    opened.page.locator(".opblock").first.wait_for()
    assert opened.complained() == []
    assert f"{stack.url}/docs/start.js" in opened.addresses
    opened.page.evaluate("void fetch('http://127.0.0.1:9/').catch(() => 0)")
    opened.page.evaluate("void setTimeout(() => { throw new Error('on purpose'); })")
    opened.page.wait_for_timeout(200)
    told = str(opened.complained())
    assert "Content Security Policy" in told
    assert "on purpose" in told
    assert opened.complained() == []
