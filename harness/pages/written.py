"""Which parts of which pages are written from the code."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.pages import DOCS, between
from harness.pages.event_rows import event_rows
from harness.pages.examples import as_json, example_dead_letter, example_result
from harness.pages.rows import (
    audit_action_rows,
    decision_rows,
    kafka_property_rows,
    log_event_rows,
    metric_rows,
    module_rows,
    settings_rows,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A part of a page that is made from the code."""

    page: Path
    mark: str
    make: Callable[[], str]

    def renew(self) -> None:
        """Write it into its page as it is now; the rest of the page stays as it was."""
        made = self.make()
        self.page.write_text(between(self.mark).sub(lambda _: made, self.page.read_text()))


WRITTEN = (
    Written(page=DOCS / "settings.md", mark="settings", make=settings_rows),
    Written(page=DOCS / "settings.md", mark="kafka properties", make=kafka_property_rows),
    Written(page=DOCS / "producing.md", mark="request fields", make=lambda: event_rows("separation_request")),
    Written(page=DOCS / "producing.md", mark="control fields", make=lambda: event_rows("separation_control")),
    Written(page=DOCS / "consuming.md", mark="result fields", make=lambda: event_rows("separation_result")),
    Written(page=DOCS / "consuming.md", mark="dead letter fields", make=lambda: event_rows("dead_letter")),
    Written(page=DOCS / "consuming.md", mark="progress fields", make=lambda: event_rows("separation_progress")),
    Written(page=DOCS / "consuming.md", mark="result", make=lambda: as_json(example_result())),
    Written(page=DOCS / "consuming.md", mark="dead letter", make=lambda: as_json(example_dead_letter())),
    Written(page=DOCS / "observability.md", mark="metrics", make=metric_rows),
    Written(page=DOCS / "observability.md", mark="log events", make=log_event_rows),
    Written(page=DOCS / "audit.md", mark="audit actions", make=audit_action_rows),
    Written(page=DOCS / "audit.md", mark="audit fields", make=lambda: event_rows("audit_event")),
    Written(page=DOCS / "architecture.md", mark="modules", make=module_rows),
    Written(page=DOCS / "decisions/index.md", mark="decisions", make=decision_rows),
)
