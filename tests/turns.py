"""In which order the files of tests begin, where several workers take one after the other."""

from collections.abc import Sequence

# The slowest come first, so that no worker is left alone with one of them in the end.
SLOWEST = (
    "recipes/test_recipes.py", "integration/test_prometheus.py", "integration/test_forgotten_offsets.py",
    "separator/test_equality.py", "integration/webhooks/test_delivering.py", "integration/test_stopped_group.py",
    "chaos/test_poison.py", "integration/secured/test_rights.py",
)  # fmt: skip
# Folders whose tests wait for servers, for most of their time; those of all others compute.
WAITING = ("integration", "chaos", "browser", "contract")
# The slower of those that compute.
COMPUTING = ("separator", "recipes")


def in_turns(files: Sequence[str]) -> list[str]:
    """Files, as paths below `tests`, in the order in which they begin.

    Those that wait and those that compute take turns, in the same proportion from beginning to end: if they came one
    kind after the other, the machine would idle first and have more to do than it can later.
    """
    rest = sorted((file for file in files if file not in SLOWEST), key=_rank)
    kinds = [[file for file in rest if (_folder(file) in WAITING) == waits] for waits in (True, False)]
    placed = [(number / len(kind), file) for kind in kinds for number, file in enumerate(kind)]
    in_proportion = [file for _, file in sorted(placed, key=lambda place: place[0])]
    return [*(file for file in SLOWEST if file in files), *in_proportion]


def _rank(file: str) -> int:
    order = (*WAITING, *COMPUTING)
    return order.index(_folder(file)) if _folder(file) in order else len(order)


def _folder(file: str) -> str:
    return file.partition("/")[0]
