"""The text of a schema that somebody else wrote, as JSON: neither long nor deep."""

import json
import re
from typing import Any

from consumer.core.errors import Code, Rejected

MAX_TEXT = 256 << 10  # characters; the longest of our own has 4,500
MAX_JSON_DEPTH = 200  # lists and objects in each other; of types, which `shapes` counts, each takes two or three
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')


def schema_of(text: str, what: str) -> Any:
    """The schema. Raises Rejected(SCHEMA_UNKNOWN), with `what` it is, if the text is too long, too deep, or no JSON."""
    if len(text) > MAX_TEXT:
        raise Rejected(Code.SCHEMA_UNKNOWN, f"{what} is longer than {MAX_TEXT} characters")
    if _depth(text) > MAX_JSON_DEPTH:
        raise Rejected(Code.SCHEMA_UNKNOWN, f"{what} is JSON more than {MAX_JSON_DEPTH} deep")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Rejected(Code.SCHEMA_UNKNOWN, f"{what} is not JSON") from error


def _depth(text: str) -> int:
    """How many lists and objects are in each other at most, if it is JSON: found without going into any."""
    deepest = depth = 0
    for token in _TOKENS.finditer(text):
        first = text[token.start()]
        if first != '"':
            depth += 1 if first in "[{" else -1
            deepest = max(deepest, depth)
    return deepest
