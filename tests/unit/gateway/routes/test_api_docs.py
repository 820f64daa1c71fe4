"""The page of the OpenAPI document: its files, as they were released and as they are sent."""

import hashlib
import re
from importlib.resources import files
from urllib.parse import urljoin

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from consumer.gateway.middleware import RequestScope
from consumer.gateway.problems import add_handlers
from consumer.gateway.routes import api_docs
from consumer.observability.tracing import NoTracer

# Of the package swagger-ui-dist 5.35.0, by sha256sum.
RELEASED = {
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui-bundle.js.LICENSE.txt": "37eb6e7e59aed57b2c1acf076574b818ea07b74265717e0bd67b59e0baf9abbb",
    "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
    "NOTICE": "0d20d1adef18aee3f40dd258172155521ce702ac445cb5f7b7d60ed32dad2fb2",
}


@pytest.fixture
def client() -> TestClient:
    api = FastAPI(docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    api.include_router(api_docs.make_router())
    add_handlers(api)
    return TestClient(RequestScope(api, lambda *_: None, NoTracer()), base_url="http://gateway")


@pytest.mark.parametrize("name", RELEASED)
def test_a_file_is_the_released_one(name: str, client: TestClient) -> None:
    """Its licence included, and it is sent as it is."""
    there = files("consumer.gateway.api_docs").joinpath("swagger_ui", name).read_bytes()
    assert hashlib.sha256(there).hexdigest() == RELEASED[name]
    assert client.get(f"/docs/{name}").content == there


def test_all_that_the_page_names_is_sent_with_its_type(client: TestClient) -> None:
    """Whatever is not is not drawn, under `nosniff`; and nothing in the page itself is a script or a style."""
    page = client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    types = {name: client.get(urljoin("/docs", name)).headers["content-type"] for name in named if name != "data:,"}
    assert types == {
        "openapi.json": "application/json",
        "docs/swagger-ui.css": "text/css; charset=utf-8",
        "docs/page.css": "text/css; charset=utf-8",
        "docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
        "docs/start.js": "text/javascript; charset=utf-8",
    }
    assert not re.search(r"<style|\son\w+=|\sstyle=|<script>", page.text)


@pytest.mark.parametrize("path", ["/docs", "/docs/start.js"])
def test_a_file_that_is_known_is_not_sent_again(path: str, client: TestClient) -> None:
    """Nor for HEAD, which tells its length."""
    whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    known = client.get(path, headers={"If-None-Match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize("name", ["swagger-ui.css.map", "..%2ffiles.py", "files.py", "__init__.py", ""])
def test_nothing_else_is_sent(name: str, client: TestClient) -> None:
    """Neither what is not there nor what lies beside it."""
    assert client.get(f"/docs/{name}", follow_redirects=False).status_code in (404, 307)
