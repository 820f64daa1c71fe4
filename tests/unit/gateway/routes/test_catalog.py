"""What can be asked for, and what a key allows, as pages and programs read it before they ask."""

from types import SimpleNamespace

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from consumer.core.catalog import FORMATS
from consumer.gateway.access.principal import Principal, Scope
from consumer.gateway.routes import access, catalog
from consumer.settings import JobSettings

# MPEG-1 layer III, ISO/IEC 11172-3, table of bit rates, without "free".
MP3_KBPS = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]


def make_client(*scopes: Scope, tenant: str | None = None) -> TestClient:
    api = FastAPI()
    api.include_router(catalog.router)
    api.include_router(access.router)
    jobs = JobSettings(allowed_source_buckets=("music",), output_bucket="stems")
    api.state.services = SimpleNamespace(jobs=jobs, trail=SimpleNamespace(tell_once=lambda _: None))

    @api.middleware("http")
    async def known(request: Request, call_next):  # type: ignore[no-untyped-def]
        request.scope.setdefault("state", {})["principal"] = Principal(id="me", tenant=tenant, scopes=frozenset(scopes))
        return await call_next(request)

    return TestClient(api)


def test_formats_tell_their_bitrates() -> None:
    """Those that lose something, in what they can be asked for; mp3 by its steps, and no other format has a rate."""
    limits = make_client(Scope.READ).get("/v1/limits").json()
    assert limits["bitrates"]["mp3"]["steps_bps"] == [1000 * kbps for kbps in MP3_KBPS]
    assert "wav" not in limits["bitrates"]
    assert "flac" not in limits["bitrates"]
    for name, rates in limits["bitrates"].items():
        for bps in (rates["lowest_bps"], rates["highest_bps"], *(rates["steps_bps"] or ())):
            assert FORMATS[name].why_not_bitrate(f"{bps // 1000}k") is None


@pytest.mark.parametrize("scopes", [(), (Scope.READ,), (Scope.OPERATE,), tuple(Scope)])
@pytest.mark.parametrize("tenant", [None, "acme"])
def test_a_key_is_told_what_it_allows(scopes: tuple[Scope, ...], tenant: str | None) -> None:
    """Whatever that is: there is nothing that it needs."""
    told = make_client(*scopes, tenant=tenant).get("/v1/access")
    assert told.status_code == 200
    assert told.json() == {"tenant": tenant, "scopes": sorted(scope.value for scope in scopes)}
