"""What the pages say of the code is what the code says."""

import dataclasses
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.audit_actions import OF_CODE, AuditAction
from consumer.core.errors import UNEXPECTED, Code
from consumer.core.events import (
    AuditEvent,
    DeadLetter,
    SeparationControl,
    SeparationProgress,
    SeparationRequest,
    SeparationResult,
)
from consumer.core.log_events import LogEvent, stage_passed
from consumer.core.model import Stage
from consumer.settings import TopicSettings
from consumer.webhooks.notices import NoticeType
from harness.exported import exported_names
from harness.pages import DOCS, blocks, event_in, marked, name_of, pages, table
from harness.pages.examples import example_dead_letter
from harness.pages.written import WRITTEN, Written

PRODUCING, CONSUMING, OUTCOMES = DOCS / "producing.md", DOCS / "consuming.md", DOCS / "outcomes.md"
AUDIT = DOCS / "audit.md"


@pytest.mark.parametrize("part", WRITTEN, ids=lambda part: f"{part.page.stem} {part.mark}")
def test_what_is_written_is_up_to_date(part: Written) -> None:
    """`python -m harness.pages` would change nothing."""
    assert marked(part.page, part.mark) == part.make()


def test_codes_are_those_of_the_code() -> None:
    """Each dead-letter code has one row, with what happened and what to do about it."""
    rows = table(OUTCOMES, "codes")
    assert [code.strip("`") for code, _, _ in rows] == list(Code)
    assert all(happened and advice for _, happened, advice in rows)


def test_codes_that_stop_a_replica_are_named() -> None:
    """The sentence on what stops a replica has each of them and no other."""
    [sentence] = re.findall(r"Ten in a row of (.*?), with no new", OUTCOMES.read_text().replace("\n", " "))
    assert set(re.findall(r"`(\w+)`", sentence)) == UNEXPECTED


def test_the_audit_page_tells_each_code_s_action() -> None:
    """Codes by the action and the outcome that their events have; those that are not named fail."""
    rows = {
        code: (action.strip("`"), outcome.strip("`"))
        for codes, action, outcome in table(AUDIT, "audit codes")
        for code in re.findall(r"`(\w+)`", codes) or ["all others"]
    }
    others = rows.pop("all others")
    assert {code: rows.get(code, others) for code in Code} == OF_CODE
    assert rows.keys() <= set(Code)


def leaves(kind: type, prefix: str = "") -> Iterator[str]:
    """Every field of an event; those of records inside it by `outer.inner`, of arrays of records by `outer[].inner`."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint, name = hints[field.name], f"{prefix}{field.name}"
        if _is_record(hint):
            yield from leaves(hint, f"{name}.")
            continue
        yield name
        if typing.get_origin(hint) is tuple and _is_record(inner := typing.get_args(hint)[0]):
            yield from leaves(inner, f"{name}[].")


def _is_record(hint: object) -> bool:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def named(cell: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", cell)


@pytest.mark.parametrize(
    ("page", "mark", "kind"),
    [
        (PRODUCING, "request fields", SeparationRequest),
        (PRODUCING, "control fields", SeparationControl),
        (CONSUMING, "result fields", SeparationResult),
        (CONSUMING, "dead letter fields", DeadLetter),
        (CONSUMING, "progress fields", SeparationProgress),
        (AUDIT, "audit fields", AuditEvent),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_field_has_its_row(page: Path, mark: str, kind: type) -> None:
    """The rows are the event's fields, in its order, each once, with type, default and meaning."""
    rows = table(page, mark)
    assert [row[0].strip("`") for row in rows] == list(leaves(kind))
    assert all(len(row) == 4 and all(row) for row in rows)


def test_stages_are_those_of_the_code() -> None:
    """A dead letter's `stage` is one of these."""
    [sentence] = re.findall(r"`stage` is one of (.*?)\.", CONSUMING.read_text().replace("\n", " "))
    assert named(sentence) == list(Stage)


@pytest.mark.parametrize(
    "page", [page for page in sorted(DOCS.glob("decisions/*.md")) if page.stem != "index"], ids=lambda page: page.stem
)
def test_a_decision_has_its_date_and_its_price(page: Path) -> None:
    """Each has a title, a month, and the same three parts."""
    text = page.read_text()
    assert re.match(r"# .+\n\n\*20\d\d-\d\d\*\n\n## Context\n", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Choice", "Price"]


@pytest.mark.parametrize(
    ("mark", "kind"), [("result", SeparationResult), ("dead letter", DeadLetter)], ids=["result", "dead letter"]
)
def test_json_examples_are_whole(mark: str, kind: type) -> None:
    """The example has each field of its event, and no other."""
    [(name, event)] = event_in(CONSUMING, mark)
    assert name == kind.__name__
    assert list(event) == [field.name for field in dataclasses.fields(kind)]


def test_example_letter_holds_a_request() -> None:
    """Its bytes are those of a request, which the page's reader may decode."""
    letter = example_dead_letter()
    assert AvroCodec().decode_request(letter.original_value).request_id == letter.request_id


def test_metrics_that_are_named_are_exported_and_the_other_way_round() -> None:
    """The page on what can be observed names every metric."""
    told = set(re.findall(r"\bseparation_[a-z_]+", marked(DOCS / "observability.md", "metrics")))
    exported = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported_names() if not name.endswith("_created")}
    assert told == exported


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_dotted_names_are_those_of_the_code(page: Path) -> None:
    """A name with a dot is a log event's, an audit action's, a webhook's or a topic's: who looks for it finds it."""
    topics = {str(field.default) for field in TopicSettings.model_fields.values()}
    known = {*LogEvent, *NoticeType, *(stage_passed(stage) for stage in Stage), *topics}
    rooms = "|".join(sorted({name.partition(".")[0] for name in known} - {"model", "http", "control", "kafka"}))
    assert {*re.findall(rf"`((?:{rooms})\.[a-z_]+)`", page.read_text())} <= known | set(AuditAction)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_python_can_be_read(page: Path) -> None:
    """Each block of Python has no error of syntax."""
    for block in blocks(page, "python"):
        compile(block, name_of(page), "exec")
