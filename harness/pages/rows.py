"""Tables of what the code itself lists: settings, metrics, what is logged and audited, modules, decisions."""

import ast

from pydantic import ByteSize
from pydantic.fields import FieldInfo

from consumer.core.audit_actions import AuditAction
from consumer.core.log_events import LogEvent
from consumer.observability.metric_table import METRICS
from consumer.settings import GROUPS
from consumer.settings.kafka_properties import RULES, Free
from harness.pages import DOCS, ROOT, name_of

_OF_THE_MACHINE = {
    "INSTANCE_ID": "the host's name", "SCRATCH_DIR": "the system's", "INDEX_DIR": "the system's for temporary files",
}  # fmt: skip


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


def metric_rows() -> str:
    """The table of metrics, one row each."""
    rows = ["| metric | type | labels | unit | meaning |\n", "|---|---|---|---|---|\n"]
    for spec in METRICS:
        labels = ", ".join(f"`{label}`" for label in spec.labels)
        rows.append(f"| `{spec.name}` | {spec.kind} | {labels} | {spec.unit} | {spec.meaning} |\n")
    return "".join(rows)
