"""The pages: what they consist of, and what of them is written from the code by `python -m harness.pages`.

What is written stands between marks such as `<!-- settings -->` and `<!-- /settings -->`.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from pydantic import ByteSize
from pydantic.fields import FieldInfo

from consumer.adapters.avro.codec import AvroCodec, Schema, load_schema
from consumer.core.audit_actions import AuditAction
from consumer.core.errors import Code
from consumer.core.events import (
    DeadLetter,
    Event,
    Header,
    OutputOptions,
    SeparationRequest,
    SeparationResult,
    SourceObject,
    SourceUsed,
    Stem,
)
from consumer.core.log_events import LogEvent
from consumer.settings import GROUPS
from consumer.settings.kafka_properties import RULES, Free

ROOT = Path(__file__).parents[1]
README, DOCS = ROOT / "README.md", ROOT / "docs"
_OF_THE_MACHINE = {
    "INSTANCE_ID": "the host's name", "SCRATCH_DIR": "the system's", "INDEX_DIR": "the system's for temporary files",
}  # fmt: skip


def pages() -> list[Path]:
    """Every page that people read: those in the root, and those of the site."""
    own = [path for path in sorted(DOCS.rglob("*.md")) if not path.is_symlink()]
    return [README, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *own]


def name_of(page: Path) -> str:
    """Its path in the repository."""
    return page.relative_to(ROOT).as_posix()


# --- what is in a page ---

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of that language, in order."""
    return [body for marked, body in _FENCE.findall(page.read_text()) if marked == language]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    """Where the page's links lead that stay in the repository."""
    return [target for target in _LINK.findall(prose(page)) if "://" not in target]


def anchors(page: Path) -> list[str]:
    """The names of its headings, as they follow a `#` in links."""
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in _HEADING.findall(prose(page))]
    return [re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles]


def commands(page: Path) -> list[str]:
    """Each command of the blocks marked `sh`, one a line, without comments."""
    lines = "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    return [found for line in lines if (found := re.sub(r"(^|\s+)#\s.*$", "", line).strip())]


def table(page: Path, mark: str) -> list[list[str]]:
    """The rows of a marked table, without its head."""
    rows = [line for line in marked(page, mark).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def marked(page: Path, mark: str) -> str:
    """What stands between these marks."""
    found = _between(mark).search(page.read_text())
    assert found, f"{name_of(page)} has no marks {mark}"
    return found[0]


def _between(mark: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {mark} -->\n).*?(?=<!-- /{mark} -->)", re.DOTALL)


# --- what is written from the code ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A part of a page that is made from the code."""

    page: Path
    mark: str
    make: Callable[[], str]


def settings_rows() -> str:
    """The table of settings: every variable, its default and its meaning."""
    rows = ["| variable | default | meaning |\n", "|---|---|---|\n"]
    for group in GROUPS:
        prefix = str(group.model_config.get("env_prefix", ""))
        for name, field in group.model_fields.items():
            if field.description:
                variable = f"{prefix}{name}".upper()
                rows.append(
                    f"| `{variable}` | {_OF_THE_MACHINE.get(variable) or _default(field)} | {field.description} |\n"
                )
    return "".join(rows)


def kafka_property_rows() -> str:
    """The table of librdkafka's properties that may not have any value, those with the same reason in one row."""
    reasons: dict[str, list[str]] = {}
    for name, rule in sorted(RULES.items()):
        if not isinstance(rule, Free):
            reasons.setdefault(rule.objection("none of it"), []).append(f"`{name}`")
    rows = [f"| {', '.join(names)} | {why} |\n" for why, names in reasons.items()]
    return f"| property | why not any value |\n|---|---|\n{''.join(rows)}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    match field.default:
        case None | ():
            return "unset"
        case dict() as words if not words:
            return "unset"
        case tuple(words):
            return f"`{','.join(f'{w:g}s' if isinstance(w, float) else str(w) for w in words)}`"
        case bool(value):
            return f"`{str(value).lower()}`"
        case ByteSize() as size:
            return f"`{size.human_readable()}`"
        case float(number):
            return f"`{number:g}`"
        case value:
            return f"`{value}`"


_AT = datetime(2026, 11, 20, 9, 30, 12, 345000, tzinfo=UTC)
_REQUEST = SeparationRequest(
    request_id="track-1",
    source=SourceObject(bucket="music", key="song.mp3"),
    output=OutputOptions(format="flac"),
    requested_at=_AT,
    metadata={"album": "17"},
)


def example_request() -> SeparationRequest:
    """A request as it might come."""
    return _REQUEST


def example_result() -> SeparationResult:
    """A result as it might come."""
    return SeparationResult(
        request_id=_REQUEST.request_id,
        source=SourceUsed(
            bucket="music",
            key="song.mp3",
            etag="9b2cf535f27731c974343645a3985328",
            format="mp3",
            duration_s=212.4,
            channels=2,
            sample_rate_hz=48000,
        ),
        model=_REQUEST.model,
        weights_sha256="0f5a" * 16,
        stems=tuple(
            Stem(
                name=name,
                bucket="stems",
                key=f"stems/track-1/{name}.flac",
                size_bytes=size_bytes,
                sha256=digest * 32,
                duration_s=212.4,
                peak=peak,
                loudness_lufs=loudness_lufs,
            )
            for name, size_bytes, digest, peak, loudness_lufs in (
                ("vocals", 14_220_518, "3c", 0.81, -17.2),
                ("accompaniment", 21_903_377, "a7", 0.97, -11.9),
            )
        ),
        timings_s={"decode": 0.0002, "fetch": 0.04, "separate": 4.31, "store": 0.22},
        metadata=_REQUEST.metadata,
        completed_at=_AT,
    )


def example_dead_letter() -> DeadLetter:
    """A dead letter as it might come."""
    return DeadLetter(
        request_id=_REQUEST.request_id,
        code=Code.OBJECT_NOT_FOUND,
        message="there is no 'song.mp3' in music",
        stage="fetch",
        attempts=1,
        original_key=_REQUEST.request_id.encode(),
        original_value=AvroCodec().encode(_REQUEST),
        original_headers=(Header(key="traceparent", value=b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),),
        topic="separation.requests",
        partition=3,
        offset=1742,
        timestamp=_AT,
        failed_at=_AT,
        consumer_version="0.1.0",
    )


def _as_json(event: Event) -> str:
    """As `spleeter-consumer watch` prints it, with line breaks."""
    text = msgspec.json.format(msgspec.json.encode({type(event).__name__: event}), indent=2).decode()
    return f"```json\n{text}\n```\n"


def event_rows(name: str) -> str:
    """The table of an event's fields, as its schema documents them; those of records inside it by `outer.inner`."""
    head = "| field | type | default | unit, range and meaning |\n|---|---|---|---|\n"
    return head + "".join(_field_rows(load_schema(name), ""))


def _field_rows(schema: Schema, prefix: str) -> Iterator[str]:
    for field in schema["fields"]:
        name, kind = f"{prefix}{field['name']}", field["type"]
        if isinstance(kind, dict) and kind["type"] == "record":
            yield from _field_rows(kind, f"{name}.")
            continue
        default = _avro_default(field, kind)
        meaning = field["doc"].replace("<", "&lt;").replace("|", "\\|")
        yield f"| `{name}` | {_avro_type(kind)} | {default} | {meaning} |\n"
        if isinstance(kind, dict) and kind["type"] == "array" and isinstance(kind["items"], dict):
            yield from _field_rows(kind["items"], f"{name}[].")


def _avro_type(kind: object) -> str:
    match kind:
        case ["null", one]:
            return f"{_avro_type(one)} or null"
        case {"logicalType": "timestamp-millis"}:
            return "time (timestamp-millis)"
        case {"type": "map", "values": values}:
            return f"map of {_avro_type(values)}"
        case {"type": "array", "items": {"name": item}}:
            return f"array of {item}"
        case _:
            return str(kind)


def _avro_default(field: Schema, kind: object) -> str:
    if "default" not in field:
        return "must be set"
    match field["default"]:
        case None:
            return "null"
        case "" | []:
            return "empty"
        case dict():
            return "empty"
        case 0 if "time" in _avro_type(kind):
            return "1970"
        case bool(value):
            return f"`{str(value).lower()}`"
        case value:
            return f"`{value}`"


def log_event_rows() -> str:
    """The table of what is logged, by name."""
    rows = [f"| `{event}` | {event.meaning} |\n" for event in LogEvent]
    return f"| event | meaning |\n|---|---|\n{''.join(rows)}"


def audit_action_rows() -> str:
    """The table of what the audit trail tells of, by name."""
    rows = []
    for action in AuditAction:
        activity = f"{action.activity:d} {action.activity.name.capitalize()}"
        rows.append(f"| `{action}` | {action.writer} | {action.meaning} | {activity} |\n")
    return f"| action | written by | meaning | `activity_id` |\n|---|---|---|---|\n{''.join(rows)}"


def module_rows() -> str:
    """A table of modules for each room, each with the first sentence of its own docstring."""
    rooms: dict[str, list[str]] = {}
    for path in sorted((ROOT / "consumer").rglob("*.py")):
        room = path.relative_to(ROOT / "consumer").parts[0] if path.parent != ROOT / "consumer" else "."
        says = ast.get_docstring(ast.parse(path.read_text())) or ""
        sentence = " ".join(says.partition("\n\n")[0].split())
        shown = path.parent if path.stem == "__init__" else path.with_suffix("")
        rooms.setdefault(room, []).append(f"| `{name_of(shown)}` | {sentence.replace('|', chr(92) + '|')} |\n")
    tables = [
        f"\n### The room {room}\n\n| module | what it is |\n|---|---|\n{''.join(rows)}"
        for room, rows in rooms.items()
        if room != "."
    ]
    return "".join(tables).lstrip("\n") + "\n"


def decision_rows() -> str:
    """The list of decisions, by their titles."""
    found = [path for path in sorted((DOCS / "decisions").glob("*.md")) if path.name != "index.md"]
    return "".join(f"- [{path.read_text().partition(chr(10))[0].removeprefix('# ')}]({path.name})\n" for path in found)


WRITTEN = (
    Written(page=DOCS / "settings.md", mark="settings", make=settings_rows),
    Written(page=DOCS / "settings.md", mark="kafka properties", make=kafka_property_rows),
    Written(page=DOCS / "producing.md", mark="request fields", make=lambda: event_rows("separation_request")),
    Written(page=DOCS / "producing.md", mark="control fields", make=lambda: event_rows("separation_control")),
    Written(page=DOCS / "consuming.md", mark="result fields", make=lambda: event_rows("separation_result")),
    Written(page=DOCS / "consuming.md", mark="dead letter fields", make=lambda: event_rows("dead_letter")),
    Written(page=DOCS / "consuming.md", mark="progress fields", make=lambda: event_rows("separation_progress")),
    Written(page=DOCS / "consuming.md", mark="result", make=lambda: _as_json(example_result())),
    Written(page=DOCS / "consuming.md", mark="dead letter", make=lambda: _as_json(example_dead_letter())),
    Written(page=DOCS / "observability.md", mark="log events", make=log_event_rows),
    Written(page=DOCS / "audit.md", mark="audit actions", make=audit_action_rows),
    Written(page=DOCS / "audit.md", mark="audit fields", make=lambda: event_rows("audit_event")),
    Written(page=DOCS / "architecture.md", mark="modules", make=module_rows),
    Written(page=DOCS / "decisions/index.md", mark="decisions", make=decision_rows),
)


def event_in(page: Path, mark: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The events in a marked block of JSON, by the names of their kinds."""
    _, body = _FENCE.findall(marked(page, mark))[0]
    yield from msgspec.json.decode(body).items()


def main() -> None:
    for part in WRITTEN:
        text = part.page.read_text()
        made = part.make()
        part.page.write_text(_between(part.mark).sub(lambda _, made=made: made, text))  # type: ignore[misc]


if __name__ == "__main__":
    main()
