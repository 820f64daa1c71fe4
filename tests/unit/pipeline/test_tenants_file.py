"""Which tenant may read where, and have stems where, by a file that is followed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import Code, Rejected, SettingsError
from consumer.core.events import OutputOptions, SourceObject
from consumer.core.log_events import LogEvent
from consumer.pipeline.stages.validate import Validate
from consumer.pipeline.tenants import FollowedTenants
from harness.clock import ManualClock
from harness.fakes import NOON, a_request

ACME = {
    "tenant": "acme",
    "sources": [{"bucket": "in", "prefix": "acme/"}, {"bucket": "shared"}],
    "outputs": [{"bucket": "out", "prefix": "albums/acme/"}, {"bucket": "more"}],
}
NOBODY = {"tenant": None, "sources": [{"bucket": "in", "prefix": "public/"}]}


def write(path: Path, *tenants: Any) -> Path:
    path.write_text(json.dumps({"version": 1, "tenants": tenants}))
    return path


def validate_by(path: Path, clock: ManualClock | None = None) -> Validate:
    return Validate(
        source_buckets=("in", "shared", "third"), output_bucket="out", output_prefix="stems/",
        further_output_buckets=("more",), tenants=FollowedTenants(path, clock or ManualClock(moment=NOON)).now,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tenant", "bucket", "key"),
    [("acme", "in", "acme/a.mp3"), ("acme", "shared", "b.mp3"), (None, "in", "public/c.mp3")],
)
def test_a_tenant_reads_its_own_places(tmp_path: Path, tenant: str | None, bucket: str, key: str) -> None:
    """And has its stems in its default place, which nobody need name."""
    validate = validate_by(write(tmp_path / "file", ACME, NOBODY))
    job = validate(a_request(tenant=tenant, source=SourceObject(bucket=bucket, key=key)))
    assert job.output_prefix == ("stems/acme/r1/" if tenant else "stems/r1/")


@pytest.mark.attack
@pytest.mark.parametrize(
    ("tenant", "bucket", "key"),
    [
        ("acme", "in", "other/a.mp3"),
        ("acme", "in", "acme"),
        ("acme", "in", "acmex/a.mp3"),
        ("acme", "in", "Acme/a.mp3"),
        ("acme", "in", "public/a.mp3"),
        ("acme", "third", "acme/a.mp3"),
        ("unknown", "shared", "b.mp3"),
        ("", "in", "public/a.mp3"),
        ("None", "in", "public/a.mp3"),
        (None, "in", "acme/a.mp3"),
        (None, "shared", "b.mp3"),
    ],
)
def test_a_tenant_reads_nothing_of_others(tmp_path: Path, tenant: str | None, bucket: str, key: str) -> None:
    """Nor one whom the file does not name, of anything."""
    validate = validate_by(write(tmp_path / "file", ACME, NOBODY))
    with pytest.raises(Rejected, match="may not read") as caught:
        validate(a_request(tenant=tenant, source=SourceObject(bucket=bucket, key=key)))
    assert caught.value.code is Code.BUCKET_NOT_ALLOWED


@pytest.mark.attack
@pytest.mark.parametrize(
    ("tenant", "output"),
    [
        ("acme", OutputOptions(prefix="albums/other/")),
        ("acme", OutputOptions(prefix="albums/acme")),
        ("acme", OutputOptions(prefix="")),
        (None, OutputOptions(prefix="albums/acme/")),
        (None, OutputOptions(bucket="more")),
        (None, OutputOptions(prefix="stems/acme/")),
    ],
)
def test_a_tenant_writes_nothing_among_others(tmp_path: Path, tenant: str | None, output: OutputOptions) -> None:
    """Places that are not listed are nobody's but the default one."""
    validate = validate_by(write(tmp_path / "file", ACME, NOBODY))
    key = "acme/a.mp3" if tenant else "public/a.mp3"
    request = a_request(tenant=tenant, source=SourceObject(bucket="in", key=key))
    with pytest.raises(Rejected) as caught:
        validate(replace(request, output=output))
    assert caught.value.code is Code.BUCKET_NOT_ALLOWED
    if tenant:
        for listed in (OutputOptions(prefix="albums/acme/"), OutputOptions(bucket="more"), OutputOptions(bucket="out")):
            assert validate(replace(request, output=listed))


def test_a_change_counts_at_once_and_a_broken_one_not_at_all(tmp_path: Path) -> None:
    """Without a restart; a tenant that was taken out is refused from then on."""
    path, clock = write(tmp_path / "file", ACME), ManualClock(moment=NOON)
    validate, request = (
        validate_by(path, clock),
        a_request(tenant="acme", source=SourceObject(bucket="shared", key="k")),
    )
    assert validate(request)
    with capture_logs() as lines:
        for spoil in (lambda: path.write_text("{"), path.unlink):
            spoil()
            for _ in range(2):
                clock.advance(1.0)
                assert validate(request)
        write(path, NOBODY)
        clock.advance(1.0)
        with pytest.raises(Rejected):
            validate(request)
    assert [line["event"] for line in lines] == [*[LogEvent.TENANTS_UNREADABLE] * 2, LogEvent.TENANTS_READ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "none of tenants"),
        (b"[" * 100_000, "none of tenants"),
        (b'{"version": 2, "tenants": []}', "none of tenants"),
        (json.dumps({"version": 1, "tenants": [ACME, ACME]}).encode(), "named twice"),
        (json.dumps({"version": 1, "tenants": [{**ACME, "source": []}]}).encode(), "unknown field"),
        (b'{"version": 1, "tenants": [{"tenant": "a", "sources": [{"bucket": "in", "prefix": "a"}]}]}', "end with /"),
        (b'{"version": 1, "tenants": [{"tenant": "a", "sources": [{"bucket": ""}]}]}', "must name a bucket"),
        (b'{"version": 1, "tenants": [{"sources": []}]}', "tenant"),
        (b" " * ((16 << 20) + 1), "too large for a file of tenants"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_ends_the_start(tmp_path: Path, content: bytes, reason: str) -> None:
    """With the variable, and what is wrong."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"^TENANTS_FILE: the file .*{reason}"):
        FollowedTenants(path)
    with pytest.raises(SettingsError, match=r"can't be read \(No such file"):
        FollowedTenants(tmp_path / "none")
