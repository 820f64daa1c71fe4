"""Every text of an error that somebody may see, read from the code itself; docs/errors.md says of each what to do.

`python -m harness.error_texts` prints those that have no row there yet, as rows to be filled in.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import consumer
from consumer.core import errors
from harness.pages import DOCS

PAGE = DOCS / "errors.md"
ANYTHING = "…"  # what a text has filled in
_ROOT = Path(consumer.__file__).parent
_ROW = re.compile(r"^\| `(.+?)` \|(.*)\|$", re.MULTILINE)
# Which argument has the text, of whatever makes an error; of our own errors it is the first.
_TEXT_AT: Mapping[str, int] = {
    **{name: 0 for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, Exception)},
    "Rejected": 1,
    "unavailable": 1,
    "Failed": 2,
    "Problem": 2,
    "service_unavailable": 0,
    "WrongVariable": 1,
    **dict.fromkeys(("WaitTimeout", "ClientClosed", "AccessDenied", "GatewayUnavailable"), 0),
    **dict.fromkeys(("BadParameter", "Unnameable", "Unmet", "Denied", "broker_away", "away", "_no_store", "cls"), 0),
}
_ONLY_INSIDE = frozenset({"WorkerCrashed", "Cancelled", "OwnershipLost", "ProducerFenced"})  # nobody outside reads them
_FROM_SETTINGS = "ValueError"  # pydantic hands it on, behind the variable's name
_TELLS_BY_RESULT = frozenset(
    {"observability/probes.py", "adapters/kafka/misfits.py", "adapters/kafka/broker_settings.py"}
)  # by what functions return there
_TELLING = 8  # letters that a row needs, to stand for texts that are longer
_DEPTH = 3  # of functions and names that a text is put together by


@dataclass(frozen=True, slots=True, order=True)
class ErrorText:
    """A text with ANYTHING in the place of what is filled in, and where the code has it."""

    text: str
    place: str


def texts() -> list[ErrorText]:
    """All of the package's, each once a place; what is handed on from another error is found where that is made."""
    found = {text for path in sorted(_ROOT.rglob("*.py")) for text in _Module(path).texts()}
    return sorted(each for each in found if re.search(r"\w", each.text.replace(ANYTHING, "")))


def rows() -> Mapping[str, str]:
    """What the page has a row for, and what it says to do; ANYTHING in a row stands for whatever may be there."""
    return dict(_ROW.findall(PAGE.read_text()))


def covers(row: str, text: str) -> bool:
    """Whether a row of the page is about this text. One that says little stands for no more than itself."""
    if len(re.findall(r"\w", row)) < _TELLING:
        return row == text
    return re.fullmatch(".*".join(map(re.escape, row.split(ANYTHING))), text, re.DOTALL) is not None


class _Module:
    """One module's texts, as far as they are put together within it."""

    def __init__(self, path: Path) -> None:
        self._path = path.relative_to(_ROOT).as_posix()
        self._tree = ast.parse(path.read_text())
        nodes = list(ast.walk(self._tree))
        self._functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
        self._constants = _assigned(self._tree.body)
        self._names = dict(_TEXT_AT) | ({_FROM_SETTINGS: 0} if self._path.startswith("settings/") else {})

    def texts(self) -> Iterator[ErrorText]:
        for scope in (self._tree, *self._functions.values()):
            known = self._constants | _assigned([node for node in ast.walk(scope) if isinstance(node, ast.Assign)])
            for node in ast.walk(scope):
                for told in self._told_by(node):
                    for text in self._templates(told, known, _DEPTH):
                        yield ErrorText(text, self._path)

    def _told_by(self, node: ast.AST) -> Iterator[ast.expr]:
        match node:
            case ast.Call(func=function, args=arguments) if (name := _name(function)) in self._names:
                if name not in _ONLY_INSIDE and len(arguments) > self._names[name]:
                    yield arguments[self._names[name]]
            case ast.Return(value=ast.expr() as value) | ast.Yield(value=ast.expr() as value):
                if self._path in _TELLS_BY_RESULT:
                    yield value
            case ast.Assign(targets=[ast.Attribute(attr="reason")], value=value):
                yield value

    def _templates(self, node: ast.expr, known: Mapping[str, ast.expr], depth: int) -> Iterator[str]:
        """The texts that this may come to."""
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                yield from _joined([list(self._templates(part, known, depth)) for part in parts])
            case ast.FormattedValue(value=ast.Name() as value) if depth:
                yield from self._templates(value, known, depth - 1)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                yield from _joined([list(self._templates(side, known, depth)) for side in (left, right)])
            case ast.IfExp(body=body, orelse=orelse):
                yield from self._templates(body, known, depth)
                yield from self._templates(orelse, known, depth)
            case ast.Name(id=name) if depth and name in known:
                yield from self._templates(known[name], known, depth - 1)
            case ast.Call(func=ast.Name(id=name)) if depth and name in self._functions:
                yield from self._returned(self._functions[name], depth - 1)
            case _:
                yield ANYTHING

    def _returned(self, function: ast.FunctionDef, depth: int) -> Iterator[str]:
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value:
                yield from self._templates(node.value, self._constants, depth)


def _assigned(nodes: list[ast.stmt]) -> dict[str, ast.expr]:
    """What simple names stand for."""
    return {
        target.id: node.value
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _joined(parts: list[list[str]]) -> Iterator[str]:
    if not parts:
        yield ""
        return
    for first in parts[0]:
        for rest in _joined(parts[1:]):
            yield f"{first}{rest}".replace(ANYTHING * 2, ANYTHING)


if __name__ == "__main__":
    listed = rows() if PAGE.exists() else {}
    for missing in dict.fromkeys(each.text for each in texts() if not any(covers(row, each.text) for row in listed)):
        sys.stdout.write(f"| `{missing}` | |\n")
