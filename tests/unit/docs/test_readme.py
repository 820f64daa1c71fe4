"""What the README says is so."""

from harness.readme import settings_rows, written_rows


def test_settings_table_is_that_of_the_settings() -> None:
    """Each variable, its default and its meaning stand in the README (`python -m harness.readme` writes them)."""
    assert written_rows() == settings_rows()
