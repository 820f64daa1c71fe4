"""The words of the events' schemas, as the classes say them: `python -m harness.schemas` writes them there."""

import ast
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from consumer.core import events
from consumer.core.catalog import FORMATS, MODELS
from consumer.core.events import SCHEMA_FILES

FOLDER = Path(__file__).parents[1] / "consumer" / "schemas"
# A schema is read by those who have no catalog: what is a name in a class is the list itself there.
LISTS = {"one of FORMATS": f"one of {', '.join(FORMATS)}", "one of MODELS": f"one of {', '.join(MODELS)}"}
_DOC = re.compile(r'(?<="doc": )"(?:[^"\\]|\\.)*"')


def documented() -> Mapping[str, tuple[str, Mapping[str, str]]]:
    """Each class of `events`: its docstring, and its fields' docstrings, the lines that stand below them."""
    found = {}
    for node in ast.parse(inspect.getsource(events)).body:
        if isinstance(node, ast.ClassDef):
            fields = {
                above.target.id: str(below.value.value)
                for above, below in zip(node.body, node.body[1:], strict=False)
                if isinstance(above, ast.AnnAssign) and isinstance(above.target, ast.Name)
                and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            }  # fmt: skip
            found[node.name] = (ast.get_docstring(node) or "", fields)
    return found


def in_a_schema(text: str) -> str:
    """What a schema says instead of a docstring: on one line, with the lists."""
    text = " ".join(text.split())
    for name, listed in LISTS.items():
        text = text.replace(name, listed)
    return text


def with_words(schema: str) -> str:
    """The text of a schema with every doc as the classes have it; one that no class has stays as it is."""
    words = _words(json.loads(schema), "", documented())
    return _DOC.sub(lambda _: json.dumps(next(words), ensure_ascii=False), schema)


def _words(part: Any, record: str, told: Mapping[str, tuple[str, Mapping[str, str]]]) -> Iterator[str]:
    """The docs in the order of the text; `record` is the name of the record that the part lies in."""
    if isinstance(part, list):
        for each in part:
            yield from _words(each, record, told)
    if not isinstance(part, dict):
        return
    is_record = "fields" in part
    own_record = part["name"] if is_record else record
    about, fields = told.get(own_record, ("", {}))
    for key, value in part.items():
        if key == "doc":
            yield in_a_schema(about if is_record else fields.get(part["name"], "")) or value
        elif key != "default":
            yield from _words(value, own_record, told)


if __name__ == "__main__":
    for name in SCHEMA_FILES.values():
        path = FOLDER / f"{name}.avsc"
        path.write_text(with_words(path.read_text()))
