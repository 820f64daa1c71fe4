"""Each tenant has a folder of its own, whatever it is called."""

from hypothesis import example, given
from hypothesis import strategies as st

from consumer.core.events import OutputOptions
from consumer.core.output_place import output_folder, tenant_prefix
from harness.fakes import a_request

NAMES = st.text(max_size=40)


@given(NAMES, NAMES)
@example("", "%00")
@example("", "\0")
@example("\0", "%00")
@example(".", "%2E")
@example("a/b", "a%2Fb")
def test_tenants_never_share_a_folder(one: str, other: str) -> None:
    """Another name is another folder, and none lies within another."""
    first, second = tenant_prefix("stems/", one), tenant_prefix("stems/", other)
    assert (first == second) == (one == other)
    assert one == other or not first.startswith(second)


@given(NAMES)
@example("..")
@example("../../etc")
def test_a_tenant_is_one_segment_of_the_key(tenant: str) -> None:
    """S3 and file systems take it for one name, and that for no way upwards."""
    folder, segment, rest = tenant_prefix("stems/", tenant).split("/")
    assert (folder, rest) == ("stems", "")
    assert segment.isascii()
    assert segment.strip(".")


def test_stems_lie_where_the_contract_says() -> None:
    """<OUTPUT_PREFIX><request_id>/, with a tenant <OUTPUT_PREFIX><tenant>/<request_id>/, and a prefix that is named."""
    assert output_folder("stems/", a_request(request_id="r1")) == "stems/r1/"
    assert output_folder("stems/", a_request(request_id="r1", tenant="acme")) == "stems/acme/r1/"
    named = a_request(request_id="r1", tenant="acme", output=OutputOptions(prefix="mine/"))
    assert output_folder("stems/", named) == "mine/r1/"
