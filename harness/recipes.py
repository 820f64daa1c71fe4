"""The recipes of docs/recipes.md as what they tell to do: edits and commands, in their order."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>diff|sh)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)


class UnusableRecipe(AssertionError):
    """A recipe's edit does not fit the repository as it is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One file's edit. pieces: what stands there, and what comes in its place; of a new file, nothing and all of it."""

    path: str
    pieces: tuple[tuple[str, str], ...]

    def apply(self, root: Path) -> None:
        """Edit the file under root. Raises UnusableRecipe, which names what was not found."""
        file = root / self.path
        if self.pieces[0][0] == "":
            if file.exists():
                raise UnusableRecipe(f"{self.path} is there already, and should be new")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.pieces[0][1])
            return
        if not file.is_file():
            raise UnusableRecipe(f"there is no {self.path}")
        text = file.read_text()
        for old, new in self.pieces:
            # Whole lines: the text before and behind it ends and begins one.
            found = re.findall(rf"^{re.escape(old)}", text, re.MULTILINE)
            if len(found) != 1:
                raise UnusableRecipe(f"{self.path} has these lines {len(found)} times instead of once:\n{old}")
            text = re.sub(rf"^{re.escape(old)}", lambda _, new=new: new, text, count=1, flags=re.MULTILINE)  # type: ignore[misc]
        file.write_text(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One line for a shell."""

    line: str


Step = Edit | Command


def read_recipes(page: str) -> dict[str, tuple[Step, ...]]:
    """Each section's steps, by its heading; sections without any are left out. Raises UnusableRecipe."""
    found = {}
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        steps: list[Step] = []
        for block in _BLOCK.finditer(section):
            body = re.sub(rf"^ {{{len(block['indent'])}}}", "", block["body"], flags=re.MULTILINE)
            if block["language"] == "diff":
                steps.append(read_edit(body))
            else:
                steps.extend(Command(line=line) for line in body.splitlines())
        if steps:
            found[section.partition("\n")[0]] = tuple(steps)
    return found


def read_edit(block: str) -> Edit:
    """The edit that a block shows. Raises UnusableRecipe."""
    first, *lines = block.splitlines()
    if not first.startswith("+++ "):
        raise UnusableRecipe(f"the first line of a diff names its file, as in `+++ path`, but is {first!r}")
    pieces: list[tuple[str, str]] = []
    old, new = "", ""
    for line in [*lines, "@@"]:
        mark, rest = line[:1] or " ", f"{line[1:]}\n"
        if line == "@@":
            if old == new or (pieces and not old):
                raise UnusableRecipe(f"a piece of the diff of {first[4:]} changes nothing, or stands nowhere")
            pieces.append((old, new))
            old, new = "", ""
        elif mark not in " +-":
            raise UnusableRecipe(f"a line of the diff of {first[4:]} begins with {mark!r}")
        else:
            old += rest if mark in " -" else ""
            new += rest if mark in " +" else ""
    return Edit(path=first[4:], pieces=tuple(pieces))
