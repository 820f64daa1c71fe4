"""The site is built from the pages alone, and not from pages with a link that leads nowhere."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.pages import ROOT

ZENSICAL = Path(sys.executable).with_name("zensical")


def build(folder: Path) -> "subprocess.CompletedProcess[str]":
    """As `make docs` does, of a copy."""
    return subprocess.run(
        [ZENSICAL, "build", "--clean", "--strict"],
        cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The pages and what builds them, somewhere else."""
    for name in ("zensical.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "docs", tmp_path / "docs", symlinks=True)
    return tmp_path


class _Loaded(HTMLParser):
    """What a browser would load with the page, without a click."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.found.append(given.get("href", ""))
        elif tag in ("script", "img", "iframe", "source", "video"):
            self.found.append(given.get("src", ""))


def test_site_builds_and_loads_nothing_from_elsewhere(copy: Path) -> None:
    """No warning; every page is there, and a browser without a network shows all of it."""
    ran = build(copy)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    built = sorted((copy / "site").rglob("*.html"))
    assert {page.stem for page in (copy / "docs").glob("*.md")} <= {page.stem for page in built}
    for page in built:
        loaded = _Loaded()
        loaded.feed(page.read_text())
        assert loaded.found
        assert [place for place in loaded.found if re.match(r"(https?:)?//", place)] == []
        assert "mermaid" not in page.read_text()  # its code would be fetched


@pytest.mark.parametrize("link", ["no-such-page.md", "settings.md#no-such-anchor"])
def test_site_with_a_broken_link_is_not_built(copy: Path, link: str) -> None:
    """The build fails."""
    index = copy / "docs/index.md"
    index.write_text(f"{index.read_text()}\n[broken]({link})\n")
    assert build(copy).returncode != 0


def test_every_page_is_in_the_navigation() -> None:
    """Decisions are listed by their own index."""
    navigation = (ROOT / "zensical.toml").read_text()
    own = [page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "decisions" or page.stem == "index"]
    assert [page.name for page in own if f'"{page.relative_to(ROOT / "docs").as_posix()}"' not in navigation] == []
