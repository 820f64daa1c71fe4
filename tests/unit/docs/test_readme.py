"""What the README says is so, and it is short."""

from harness.pages import DOCS, README, marked
from harness.pages.rows import settings_rows

MOST_WORDS = 1200


def test_readme_is_a_page() -> None:
    """Whoever opens the repository reads all of it."""
    assert len(README.read_text().split()) <= MOST_WORDS


def test_settings_table_is_that_of_the_settings() -> None:
    """Each variable, its default and its meaning stand in docs/settings.md (`python -m harness.pages` writes them)."""
    assert marked(DOCS / "settings.md", "settings") == settings_rows()
