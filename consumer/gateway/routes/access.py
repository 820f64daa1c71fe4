"""Who asks: what a key or a token allows, for whoever holds it."""

from fastapi import APIRouter
from pydantic import BaseModel

from consumer.gateway.access.principal import Scope
from consumer.gateway.routes.parameters import Who

router = APIRouter(prefix="/v1", tags=["access"])


class AccessBody(BaseModel):
    """scopes: what is allowed. tenant: on whose behalf; null: nobody's."""

    tenant: str | None
    scopes: list[Scope]


@router.get("/access", summary="Look at what the key allows")
async def access(who: Who) -> AccessBody:
    """Needs no scope: a key that allows nothing else is told so."""
    return AccessBody(tenant=who.tenant, scopes=sorted(who.scopes))
