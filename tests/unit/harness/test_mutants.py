"""The mutation run's own parts: what it changes, and that the change is really in place."""

import ast
import sys
from pathlib import Path

import pytest

from tests.mutation.mutants import mutants_of
from tests.mutation.trial import put_in_place

SOURCE = '''
"""A module."""

LIMIT = 3


class Shelf:
    """Things."""

    size: int = 7

    @property
    def is_full(self) -> bool:
        """Whether nothing more fits."""
        return self.size >= LIMIT

    def put(self, number: int, times: int = 1) -> int:
        if number and not times:
            raise ValueError(f"{number} times nothing")
        self.size = self.size + number
        return self.size
'''


def test_each_slip_is_made_once_and_policy_is_left_alone() -> None:
    """Comparisons, conditions, statements, operators and values are changed; constants, defaults and texts are not."""
    names = [mutant.name for mutant in mutants_of("shelf.py", SOURCE)]
    assert names == [
        "Shelf.is_full: return self.size >= LIMIT -> return None",
        "Shelf.is_full: self.size >= LIMIT -> self.size > LIMIT",
        "Shelf.is_full: self.size >= LIMIT -> self.size < LIMIT",
        "Shelf.put: number and (not times) -> number or not times",
        "Shelf.put: number and (not times) -> not times",
        "Shelf.put: number and (not times) -> number",
        "Shelf.put: not times -> times",
        "Shelf.put: raise ValueError(f'{number} times nothing') -> nothing",
        "Shelf.put: self.size = self.size + number -> nothing",
        "Shelf.put: self.size + number -> self.size - number",
        "Shelf.put: return self.size -> return None",
    ]


def test_whoever_holds_a_function_runs_its_mutant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that was made before, and a method that was taken from it, behave as changed; nothing else does."""
    (tmp_path / "shelf_of_test_mutants.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    from shelf_of_test_mutants import Shelf  # type: ignore[import-not-found]

    shelf = Shelf()
    put = shelf.put
    mutants = {mutant.name: mutant for mutant in mutants_of("shelf_of_test_mutants.py", SOURCE)}
    put_in_place(mutants["Shelf.put: self.size + number -> self.size - number"])
    assert put(2) == 5
    assert shelf.is_full
    put_in_place(mutants["Shelf.is_full: self.size >= LIMIT -> self.size < LIMIT"])
    assert not shelf.is_full
    del sys.modules["shelf_of_test_mutants"]


def test_every_mutant_can_be_compiled_and_has_its_own_name() -> None:
    """It can be run, is not the module as it was, and can be explained by its name alone."""
    for module in ("consumer/delivery/assignments.py", "consumer/pipeline/retry.py"):
        source = (Path(__file__).parents[3] / module).read_text()
        mutants = list(mutants_of(module, source))
        assert len({mutant.name for mutant in mutants}) == len(mutants) > 20
        for mutant in mutants:
            compile(mutant.tree, module, "exec")
            assert ast.unparse(mutant.tree) != ast.unparse(ast.parse(source)), "it changes something"
