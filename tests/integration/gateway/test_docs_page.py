"""The page of the OpenAPI document, in a real browser, under the policy that every answer carries."""

from playwright.sync_api import expect

from harness.browser import PATIENCE_S, chromium, window
from harness.gateway import KEY, Gateway

_FORBIDDEN = "document.body.append(Object.assign(document.createElement('script'), {textContent: '1'}))"
_KEPT = "[{...localStorage}, {...sessionStorage}, document.cookie]"
_MODELS = "#operations-catalog-models_v1_models_get"


def test_the_page_draws_the_document_and_asks_the_gateway(door: Gateway) -> None:
    """Every operation is there, a key can be entered, an answer is shown; nothing is forbidden or from elsewhere."""
    with door.client() as http:  # without a key
        described = http.get("/openapi.json").json()["paths"]
    with chromium() as browser, window(browser) as opened:
        page = opened.page
        page.goto(f"{door.url}/docs")
        expect(page.locator(".opblock")).to_have_count(sum(map(len, described.values())), timeout=PATIENCE_S * 1000)
        page.click(".auth-wrapper .authorize")
        page.fill("#api_key_value", KEY)
        page.click(".modal-ux .authorize")
        page.click(".modal-ux .btn-done")
        page.click(f"{_MODELS} .opblock-summary-control")
        page.click(f"{_MODELS} .try-out__btn")
        page.click(f"{_MODELS} .execute")
        shown = page.locator(".live-responses-table .response").first.inner_text()
        assert shown.startswith("200")
        assert "accompaniment" in shown
        assert opened.complained() == []
        assert opened.addresses
        assert all(each.startswith((f"{door.url}/", "data:")) for each in opened.addresses)
        page.evaluate(_FORBIDDEN)
        assert "Content Security Policy" in str(opened.complained())
        assert KEY not in str(page.evaluate(_KEPT))
