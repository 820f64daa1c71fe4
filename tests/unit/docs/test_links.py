"""Whatever a page leads to is there."""

import re
from pathlib import Path

import pytest

from harness.pages import DOCS, ROOT, anchors, links, name_of, pages, prose

PAGES = pytest.mark.parametrize("page", pages(), ids=name_of)
_FOLDERS = "consumer|kernels|schemas|deploy|devstack|demo|bench|harness|tests|docs"
_PATH = re.compile(rf"`((?:{_FOLDERS})/[\w./-]*)(?:#[\w-]+)?`")


def broken(page: Path) -> list[str]:
    """Links that lead nowhere."""
    found = []
    for link in links(page):
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@PAGES
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there, and every anchor a heading in it."""
    assert broken(page) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    """A page that is not there, an anchor that is not there; not those that are."""
    page = tmp_path / "page.md"
    page.write_text("# A title, with `code`\n\n[a](page.md) [b](#a-title-with-code) [c](other.md) [d](page.md#no)\n")
    assert broken(page) == ["other.md", "page.md#no"]


@PAGES
def test_headings_have_names_of_their_own(page: Path) -> None:
    """Two headings with one name would be one anchor."""
    assert len(set(anchors(page))) == len(anchors(page))


@PAGES
def test_paths_that_are_named_exist(page: Path) -> None:
    """A file or folder of the repository that a page names is there; a module or a test also without its `.py`."""
    named = [path for path in _PATH.findall(prose(page)) if not path.startswith("demo/weights/")]
    missing = [path for path in named if not any((ROOT / f"{path}{suffix}").exists() for suffix in ("", ".py"))]
    assert missing == []


def test_each_page_can_be_found_from_the_start() -> None:
    """Whoever follows links from docs/index.md comes to every page of the site."""
    left, seen = [DOCS / "index.md"], set[Path]()
    while left:
        page = left.pop()
        if page in seen:
            continue
        seen.add(page)
        targets = [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
        left += [target for target in targets if target.suffix == ".md" and target.is_relative_to(DOCS)]
    assert {name_of(page) for page in pages() if page.is_relative_to(DOCS)} <= {name_of(page) for page in seen}
