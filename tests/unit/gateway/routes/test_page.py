"""The page's files: what is sent, under which policy, and that they name nothing that is not there."""

import json
import posixpath
import re
from collections.abc import Mapping
from importlib.resources import files

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from consumer.core.errors import Code
from consumer.core.model import Stage
from consumer.gateway.middleware import RequestScope
from consumer.gateway.page.files import page_files
from consumer.gateway.problems import add_handlers
from consumer.gateway.routes import page
from consumer.observability.tracing import NoTracer

STORE = "https://store.example:9000"
FILES = {name: file.content.decode() for name, file in page_files().items()}
SCRIPTS = {name: content for name, content in FILES.items() if name.endswith(".js")}
TABLES = sorted(name for name in SCRIPTS if name.startswith("texts/"))
# A text's name and its words, as each table writes them, one a line.
ROW = re.compile(r'^\s*"([\w.-]+)": ("(?:[^"\\]|\\.)*"),?$', re.MULTILINE)


def make_client(store_origin: str | None = None) -> TestClient:
    api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    api.include_router(page.make_router(store_origin))
    add_handlers(api)
    return TestClient(RequestScope(api, lambda *_: None, NoTracer()), base_url="http://gateway")


@pytest.fixture(scope="module")
def client() -> TestClient:
    return make_client()


def directives(policy: str) -> dict[str, str]:
    """A policy's parts by their names (https://www.w3.org/TR/CSP3/#parse-serialized-policy)."""
    parts = [part.strip() for part in policy.split(";")]
    return {part.partition(" ")[0]: part.partition(" ")[2] for part in parts}


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/page/nothing.js"])
@pytest.mark.parametrize("store", [None, STORE])
def test_the_policy(path: str, store: str | None) -> None:
    """Nothing from elsewhere but what lies in the store, and no text becomes markup; of answers without a page too."""
    policy = directives(make_client(store).get(path).headers["content-security-policy"])
    connect = "'self'" if store is None or path.endswith("nothing.js") else f"'self' {STORE}"
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": connect,
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/page/shell.css", "/page/icon.svg"])
def test_a_file_that_is_known_is_not_sent_again(path: str, client: TestClient) -> None:
    """Nor for HEAD, which tells its length; and it is asked for each time, so that no two releases mix."""
    whole, head = client.get(path), client.head(path)
    assert whole.headers["cache-control"] == "public, no-cache"
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    known = client.get(path, headers={"If-None-Match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/page/files.py", "/page/__init__.py", "/page/", "/page/shell", "/page/shell/", "/page//index.html",
        "/page/..%2fapp.py", "/page/shell/..%2f..%2fapp.py", "/page/%2e%2e/app.py", "/page/%2Fetc%2Fpasswd",
        "/page/main.js%00", "/page/index.html/", "/page/INDEX.HTML", "/index.html",
    ],
)  # fmt: skip
def test_nothing_else_is_sent(path: str, client: TestClient) -> None:
    """Neither what is not there nor what lies beside it."""
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_is_only_read(method: str, client: TestClient) -> None:
    """Other methods are not for files."""
    assert client.request(method, "/").status_code == 405


def test_all_that_lies_there_is_sent_as_it_is(client: TestClient) -> None:
    """With a type that a browser takes under `nosniff`."""
    types = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    root = files("consumer.gateway.page")
    for name in FILES:
        answer = client.get(f"/page/{name}")
        assert answer.content == root.joinpath(name).read_bytes()
        assert answer.headers["content-type"].partition(";")[0] == types[name.rpartition(".")[2]]


def test_what_a_file_names_is_there() -> None:
    """Scripts and styles of the page, and modules that modules import."""
    named = {("", each.removeprefix("page/")) for each in re.findall(r'(?:href|src)="([^"]+)"', FILES["index.html"])}
    for name, script in SCRIPTS.items():
        imports = re.findall(r'(?:from|import\()\s*"([^"]+)"', script)
        assert all(each.startswith(("./", "../")) for each in imports), name
        named |= {(name, each) for each in imports}
    for name, each in named:
        assert posixpath.normpath(posixpath.join(posixpath.dirname(name), each)) in FILES, (name, each)


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(".svg")])
def test_nothing_is_from_elsewhere_or_made_of_text(name: str) -> None:
    """No address of another host, no script or style in markup or in strings, and nothing that is stored."""
    content = re.sub(r"https?://(www\.w3\.org|html\.spec\.whatwg\.org)/\S*", "", FILES[name])
    found = re.findall(
        r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|"
        r"localStorage|sessionStorage|indexedDB|document\.cookie|\sstyle=\"|<script>|<style",
        content,
    )
    assert found == []


def table(name: str) -> dict[str, dict[str, str]]:
    """A table of texts by language."""
    script = SCRIPTS[name]
    found = {}
    for language, words in re.findall(r"^const (\w\w) = \{\n(.*?)^\};", script, re.DOTALL | re.MULTILINE):
        rows = ROW.findall(words)
        assert len(rows) == len([line for line in words.splitlines() if line.strip()]), f"{name}: a row is not read"
        assert len(dict(rows)) == len(rows), f"{name}: a text is there twice"
        found[language] = {key: json.loads(text) for key, text in rows}
    return found


@pytest.fixture(scope="module")
def texts() -> Mapping[str, Mapping[str, str]]:
    """The texts of the page's frame by language."""
    tables = [table("texts/shell.js"), table("texts/codes.js")]
    return {language: {**tables[0][language], **tables[1][language]} for language in ("en", "de")}


@pytest.mark.parametrize("name", ["texts/shell.js", "texts/codes.js"])
def test_both_languages_say_the_same_things(name: str) -> None:
    """Each text is there in both, with the same values in it."""
    tables = table(name)
    values = {
        language: {key: sorted(re.findall(r"\{(\w+)\}", text)) for key, text in words.items()}
        for language, words in tables.items()
    }
    assert values["en"] == values["de"]
    assert all(text.strip() for words in tables.values() for text in words.values())


def test_every_code_is_told_in_plain_words(texts: Mapping[str, Mapping[str, str]]) -> None:
    """What happened and what to do, for each code of a dead letter and for no other."""
    for words in texts.values():
        told = {key for key in words if key.startswith("code.") and not key.startswith("code.unknown")}
        assert told == {f"code.{code}{end}" for code in Code for end in ("", ".do")}
        assert not any("_" in words[key] for key in told), "a code's name is no plain word"


def test_every_stage_has_words(texts: Mapping[str, Mapping[str, str]]) -> None:
    """Of a job that is at work."""
    for words in texts.values():
        assert {f"stage.{stage.value}" for stage in Stage} <= words.keys()


def test_a_text_that_is_named_is_there(texts: Mapping[str, Mapping[str, str]]) -> None:
    """By its whole name; those that are put together begin with one that is there."""
    for name, script in SCRIPTS.items():
        if not name.startswith(("shell/", "main.js")):
            continue
        for key in re.findall(r'\btext\("([\w.]+)"', script):
            assert key in texts["en"], f"{name}: {key}"
        for begin in re.findall(r"\btext\(`([\w.]+\.)\$", script):
            assert any(key.startswith(begin) for key in texts["en"]), f"{name}: {begin}"
