"""A tombstone's key says whose request it is, and nobody else's stands there."""

from hypothesis import example, given
from hypothesis import strategies as st

from consumer.core.events import REQUEST_ID
from consumer.core.forgotten import parse_tombstone_key, tombstone_key

TENANTS = st.none() | st.text(max_size=40)
IDS = st.from_regex(REQUEST_ID, fullmatch=True)
PREFIXES = st.sampled_from(["stems/", "", "a/b/", "x"])


@given(PREFIXES, TENANTS, IDS)
@example("stems/", "", "a")
@example("stems/", "%", "a")
@example("stems/", "..", "a")
@example("stems/", None, "none")
@example("stems/", "none/x", "tenant-")
def test_whose_it_is_can_be_read_from_its_key(prefix: str, tenant: str | None, request_id: str) -> None:
    """So a list of keys is a list of what was forgotten."""
    key = tombstone_key(prefix, tenant, request_id)
    assert parse_tombstone_key(prefix, key) == (tenant, request_id)
    assert key.startswith(f"forgotten/{prefix}")


@given(TENANTS, IDS, TENANTS, IDS)
@example(None, "a", "a.json", "b")
@example(None, "a", "a", "a")
@example("", "a", "%", "a")
def test_two_never_share_a_place(tenant: str | None, request_id: str, other: str | None, other_id: str) -> None:
    """Nor does one stand where another's folder is: some stores take no object below an object."""
    first, second = tombstone_key("stems/", tenant, request_id), tombstone_key("stems/", other, other_id)
    assert (first == second) == ((tenant, request_id) == (other, other_id))
    assert not second.startswith(f"{first}/")


@given(st.text(max_size=60))
@example("none/a.json/b.json")
@example("none/a b.json")
@example("tenant-%2e%2e/a.json")
@example("other/a.json")
def test_what_is_no_tombstone_is_passed_over(name: str) -> None:
    """Whatever somebody has put there."""
    found = parse_tombstone_key("stems/", f"forgotten/stems/{name}")
    assert found is None or tombstone_key("stems/", *found) == f"forgotten/stems/{name}"
