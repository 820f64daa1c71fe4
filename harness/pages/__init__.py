"""The pages: which there are, and what is in them. `python -m harness.pages` writes what is made from the code.

It stands between marks such as `<!-- settings -->` and `<!-- /settings -->`.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
README, DOCS = ROOT / "README.md", ROOT / "docs"
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def pages() -> list[Path]:
    """Every page that people read: those in the root, and those of the site."""
    own = [path for path in sorted(DOCS.rglob("*.md")) if not path.is_symlink()]
    return [README, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *own]


def name_of(page: Path) -> str:
    """Its path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of that language, in order."""
    return [body for marked, body in _FENCE.findall(page.read_text()) if marked == language]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    """Where the page's links lead that stay in the repository."""
    return [target for target in _LINK.findall(prose(page)) if "://" not in target]


def anchors(page: Path) -> list[str]:
    """The names of its headings, as they follow a `#` in links."""
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in _HEADING.findall(prose(page))]
    return [re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles]


def commands(page: Path) -> list[str]:
    """Each command of the blocks marked `sh`, one a line, without comments."""
    lines = "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    return [found for line in lines if (found := re.sub(r"(^|\s+)#\s.*$", "", line).strip())]


def table(page: Path, mark: str) -> list[list[str]]:
    """The rows of a marked table, without its head."""
    rows = [line for line in marked(page, mark).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def marked(page: Path, mark: str) -> str:
    """What stands between these marks."""
    found = between(mark).search(page.read_text())
    assert found, f"{name_of(page)} has no marks {mark}"
    return found[0]


def between(mark: str) -> re.Pattern[str]:
    """Finds what stands between these marks."""
    return re.compile(rf"(?<=<!-- {mark} -->\n).*?(?=<!-- /{mark} -->)", re.DOTALL)


def event_in(page: Path, mark: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The events in a marked block of JSON, by the names of their kinds."""
    _, body = _FENCE.findall(marked(page, mark))[0]
    yield from msgspec.json.decode(body).items()
