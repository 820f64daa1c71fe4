"""Each recipe of docs/recipes.md, followed to the letter on a copy of the repository, adds what it says."""

import re
import shutil
from pathlib import Path

import pytest

from harness.recipes import PAGE, Command, Step, read_recipes
from tests.recipes.copies import Copy, StepFailed, copy_repository

pytestmark = pytest.mark.timeout(1800)  # several runs of tests and of mypy each

RECIPES = read_recipes(PAGE.read_text())
PROBES = Path(__file__).parent / "probes"


def probe_of(title: str) -> str:
    return f"probe_{re.sub(r'[^a-z]+', '_', title.lower())}.py"


def without(steps: tuple[Step, ...], left_out: str) -> list[Step]:
    """The steps but for one: the edits of that file, or the commands that begin like that."""
    rest = [
        step
        for step in steps
        if not (step.line.startswith(left_out) if isinstance(step, Command) else step.path == left_out)
    ]
    assert len(rest) < len(steps), f"the recipe has no step {left_out}"
    return rest


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The repository as it is, compiled, its types and imports known: what a recipe changes is soon checked then."""
    copy = copy_repository(tmp_path_factory.mktemp("original"))
    copy.run("python -m compileall -q consumer harness tests")
    copy.run("lint-imports")
    copy.run("mypy consumer")
    return copy


@pytest.fixture
def copy(original: Copy, tmp_path: Path) -> Copy:
    """A copy of a test's own."""
    root = tmp_path / "copy"
    shutil.copytree(original.root, root, symlinks=True)
    return Copy(root=root)


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_adds_what_it_says(title: str, copy: Copy) -> None:
    """In the copy its own tests pass, what was added does its work, and linters have nothing to say."""
    steps = RECIPES[title]
    assert copy.package() == copy.root / "consumer"
    copy.follow(steps)
    copy.run(f"pytest tests/recipes/probes/{probe_of(title)}")
    copy.lint(steps)


def test_each_recipe_is_probed() -> None:
    """No recipe is shown by its edits alone, and no probe is left behind by a recipe that went."""
    assert {probe_of(title) for title in RECIPES} == {path.name for path in PROBES.glob("probe_*.py")}


@pytest.mark.parametrize(
    ("title", "left_out", "noticed"),
    [
        ("An output format", "python -m harness.schemas", "test_a_class_and_its_schema_say_the_same"),
        ("A stem model", "python -m harness.pages", "test_what_is_written_is_up_to_date"),
        (
            "An event field",
            "cp consumer/schemas/separation_result",
            "test_whatever_was_ever_written_is_still_read",
        ),
        ("An event field", "consumer/schemas/separation_request.avsc", "test_a_class_and_its_schema_say_the_same"),
        ("An event field", "tests/schemas/golden.py", "test_there_is_a_golden_event_for_each_schema"),
        ("A metric", "python -m harness.pages", "test_what_is_written_is_up_to_date"),
        ("A metric", "consumer/observability/metrics.py", "test_a_scrape_shows_the_table_and_nothing_else"),
        ("A metric", "deploy/grafana/dashboard.json", "test_every_metric_is_looked_at"),
        ("A retry rule", "consumer/pipeline/retry.py", "test_each_kind_of_transient_error_has_a_rule"),
        ("A setting", "python -m harness.pages", "test_what_is_written_is_up_to_date"),
        ("A stage", "consumer/app/wiring.py", "missing 1 required keyword-only argument: 'sniff'"),
    ],
)
def test_a_forgotten_step_is_noticed(title: str, left_out: str, noticed: str, copy: Copy) -> None:
    """Without one of its edits or commands, a recipe's own tests fail, and say what is missing."""
    with pytest.raises(StepFailed, match=re.escape(noticed)) as caught:
        copy.follow(without(RECIPES[title], left_out))
    assert str(caught.value).startswith("`pytest ")
