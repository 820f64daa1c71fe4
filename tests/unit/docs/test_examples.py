"""Examples that need no server are run as they stand."""

from consumer.core.events import SeparationResult
from harness.pages import DOCS, blocks


def test_a_user_s_test_works_as_it_stands() -> None:
    """The replica in memory answers the example's request with a result."""
    [code] = [block for block in blocks(DOCS / "testing.md", "python") if "MemoryReplica" in block]
    names: dict[str, object] = {}
    exec(compile(code, "docs/testing.md", "exec"), names)
    outcome = names["outcome"]
    assert isinstance(outcome, SeparationResult)
    assert outcome.request_id == "r1"
