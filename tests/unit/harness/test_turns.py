"""The order in which files of tests begin."""

from tests.conftest import FOLDER
from tests.turns import COMPUTING, SLOWEST, WAITING, in_turns


def test_each_file_has_its_turn() -> None:
    """None is lost, none comes twice."""
    files = [str(path.relative_to(FOLDER)) for path in sorted(FOLDER.rglob("test_*.py"))]
    assert sorted(in_turns(files)) == sorted(files)


def test_the_slowest_come_first() -> None:
    """In their own order, and only those that are asked for."""
    assert in_turns(["unit/test_a.py", SLOWEST[2], SLOWEST[0]]) == [SLOWEST[0], SLOWEST[2], "unit/test_a.py"]


def test_those_that_wait_and_those_that_compute_take_turns() -> None:
    """In proportion to their numbers, folder after folder."""
    waiting = [f"integration/test_{number}.py" for number in range(3)]
    computing = [f"unit/test_{number}.py" for number in range(4)] + [f"separator/test_{number}.py" for number in (8, 9)]
    assert in_turns([*computing, *waiting]) == [
        waiting[0], "separator/test_8.py", "separator/test_9.py",
        waiting[1], "unit/test_0.py", "unit/test_1.py",
        waiting[2], "unit/test_2.py", "unit/test_3.py",
    ]  # fmt: skip


def test_what_is_named_is_there() -> None:
    """A file or a folder that goes, or gets another name, is noticed here."""
    assert [name for name in (*SLOWEST, *WAITING, *COMPUTING) if not (FOLDER / name).exists()] == []
