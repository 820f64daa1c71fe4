"""How a page of recipes is read, and what is said of one that no longer fits."""

from pathlib import Path

import pytest

from harness.recipes import Command, Edit, UnusableRecipe, read_edit, read_recipes

PAGE = """# Page

```sh
not of a recipe
```

## One

1. Do this.

    ```diff
    +++ a.txt
     one
    +and a half
     two

    @@
    -three
    ```

2. Then that.

    ```sh
    first
    second
    ```

```text
nothing
```

## Two

Words alone.

## Three

```diff
+++ folder/new.txt
+line
```
"""


def test_a_page_is_read() -> None:
    """Sections with blocks are recipes; their steps are edits and commands in order."""
    first = Edit(path="a.txt", pieces=(("one\ntwo\n\n", "one\nand a half\ntwo\n\n"), ("three\n", "")))
    assert read_recipes(PAGE) == {
        "One": (first, Command(line="first"), Command(line="second")),
        "Three": (Edit(path="folder/new.txt", pieces=(("", "line\n"),)),),
    }


def test_edits_are_made(tmp_path: Path) -> None:
    """Each piece is replaced where it stands, a new file is written with its folder, and all else stays."""
    (tmp_path / "a.txt").write_text("zero\none\ntwo\n\nthree\nfour\n")
    for steps in read_recipes(PAGE).values():
        for step in steps:
            if isinstance(step, Edit):
                step.apply(tmp_path)
    assert (tmp_path / "a.txt").read_text() == "zero\none\nand a half\ntwo\n\nfour\n"
    assert (tmp_path / "folder" / "new.txt").read_text() == "line\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("two\n", "a.txt has these lines 0 times instead of once:\none\n"),
        ("one\ntwo\none\n", "a.txt has these lines 2 times instead of once:\none\n"),
        ("someone\n", "a.txt has these lines 0 times instead of once:\none\n"),
        (None, "there is no a.txt"),
    ],
)
def test_an_edit_that_does_not_fit_is_told(text: str | None, reason: str, tmp_path: Path) -> None:
    """The message names the file and the lines, and the file stays as it was."""
    if text is not None:
        (tmp_path / "a.txt").write_text(text)
    with pytest.raises(UnusableRecipe, match=f"^{reason}$"):
        read_edit("+++ a.txt\n one\n+more\n").apply(tmp_path)
    assert text is None or (tmp_path / "a.txt").read_text() == text


def test_a_new_file_takes_nobodys_place(tmp_path: Path) -> None:
    """Where there is a file already, it is left alone."""
    (tmp_path / "a.txt").write_text("mine\n")
    with pytest.raises(UnusableRecipe, match=r"^a\.txt is there already"):
        read_edit("+++ a.txt\n+line\n").apply(tmp_path)
    assert (tmp_path / "a.txt").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (" one\n+two\n", "names its file"),
        ("+++ a.txt\n*one\n", "begins with '\\*'"),
        ("+++ a.txt\n one\n", "changes nothing"),
        ("+++ a.txt\n one\n+two\n@@\n+three\n", "stands nowhere"),
    ],
)
def test_a_block_that_is_no_edit_is_told(block: str, reason: str) -> None:
    """A slip in the page is not taken for an edit that has been made."""
    with pytest.raises(UnusableRecipe, match=reason):
        read_edit(block)
