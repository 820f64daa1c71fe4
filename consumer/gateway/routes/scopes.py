"""Which right a route needs."""

from typing import Any

from fastapi import Depends, Request

from consumer.gateway.access.principal import Scope, require
from consumer.gateway.services import principal_of


def needs(scope: Scope) -> Any:
    """A dependency: 403 for whoever lacks that right."""

    def check(request: Request) -> None:
        require(principal_of(request), scope)

    return Depends(check)
