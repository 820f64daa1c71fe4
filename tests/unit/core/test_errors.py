"""The tree of errors, which decides what a failure leads to."""

import re

from consumer.core import errors
from consumer.core.errors import ConsumerError


def test_the_tree_in_the_docstring_is_that_of_the_classes() -> None:
    """Each error stands there, below the one that it is a kind of."""
    above: dict[int, str] = {}
    told = {}
    for indent, name in re.findall(r"^([│├└─ ]*)([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(indent) // 4
        above[depth] = name
        if depth:
            told[name] = above[depth - 1]
    classes = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, ConsumerError) and value is not ConsumerError
    }
    assert told == classes
