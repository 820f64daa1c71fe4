"""What several routes are given: who asks, what answers are made with, and what requests name."""

from typing import Annotated

from fastapi import Depends, Path

from consumer.gateway.access.principal import Principal
from consumer.gateway.services import Services, principal_of, services_of

SeparationId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="the separation's id")]
Used = Annotated[Services, Depends(services_of)]
Who = Annotated[Principal, Depends(principal_of)]
