"""The README's settings table, as the settings say it: `python -m harness.readme` writes it there."""

import re
from pathlib import Path

from pydantic import ByteSize
from pydantic.fields import FieldInfo

from consumer.settings import GROUPS

README = Path(__file__).parents[1] / "README.md"
_OF_THE_MACHINE = {"INSTANCE_ID": "the host's name", "SCRATCH_DIR": "the system's"}
_TABLE = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- /settings -->)", re.DOTALL)


def settings_rows() -> str:
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


def written_rows() -> str:
    found = _TABLE.search(README.read_text())
    assert found
    return found[0]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    match field.default:
        case None | ():
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


if __name__ == "__main__":
    README.write_text(_TABLE.sub(lambda _: settings_rows(), README.read_text()))
