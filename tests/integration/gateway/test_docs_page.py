"""The page of the OpenAPI document, in a real browser, under the policy that every answer carries."""

from pathlib import Path

from harness.browser import browser
from harness.gateway import KEY, Gateway

_OPERATIONS = "return document.querySelectorAll('.opblock').length"
_CLICK = "const found = document.querySelector(arguments[0]); if (found) found.click(); return Boolean(found)"
# React keeps a field's value by itself: it hears of a change only by the element's own setter and an event.
_TYPE = """
const field = document.querySelector(arguments[0]);
if (!field) return false;
Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, arguments[1]);
field.dispatchEvent(new Event("input", {bubbles: true}));
return true;
"""
_FORBIDDEN = "document.body.append(Object.assign(document.createElement('script'), {textContent: '1'}))"
_LOADED = "return performance.getEntriesByType('resource').map(each => each.name)"


def test_the_page_draws_the_document_and_asks_the_gateway(door: Gateway, tmp_path: Path) -> None:
    """Every operation is there, a key can be entered, an answer is shown; nothing is forbidden or from elsewhere."""
    with door.client() as http:  # without a key
        described = http.get("/openapi.json").json()["paths"]
    with browser(tmp_path) as page:
        page.open(f"{door.url}/docs")
        page.wait_for(f"{_OPERATIONS} === arguments[0]", sum(map(len, described.values())))
        page.wait_for(_CLICK, ".auth-wrapper .authorize")
        page.wait_for(_TYPE, "#api_key_value", KEY)
        page.wait_for(_CLICK, ".modal-ux .authorize")
        page.wait_for(_CLICK, ".modal-ux .btn-done")
        page.wait_for(_CLICK, "#operations-catalog-models_v1_models_get .opblock-summary-control")
        page.wait_for(_CLICK, "#operations-catalog-models_v1_models_get .try-out__btn")
        page.wait_for(_CLICK, "#operations-catalog-models_v1_models_get .execute")
        shown = page.wait_for("return document.querySelector('.live-responses-table .response')?.innerText")
        assert shown.startswith("200")
        assert "accompaniment" in shown
        assert page.complaints() == []
        assert all(each.startswith((f"{door.url}/", "data:")) for each in page.run(_LOADED))
        page.run(_FORBIDDEN)
        assert "Content Security Policy" in str(page.complaints())
        assert KEY not in str(page.run("return [{...localStorage}, {...sessionStorage}, document.cookie]"))
