"""Webhooks: who is told of outcomes, how long it is tried, and which addresses may be called."""

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from consumer.settings.variables import DurationS, Group, WrongVariable, split

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(split(ipaddress.ip_network))]


class WebhookSettings(Group):
    """What `webhooks` needs beside Kafka and the schemas. Times are seconds."""

    webhooks_file: Path | None = Field(
        default=None, description="the file of endpoints, which `webhooks` must have; followed when it changes"
    )
    webhooks_allow_http: bool = Field(default=False, description="whether endpoints may begin with `http://` too")
    webhooks_allowed_networks: Networks = Field(
        default=(), description="networks that may be called although they are private, as in `10.1.0.0/16,fd00::/8`"
    )
    webhooks_connect_timeout_s: DurationS = Field(
        default=5.0, gt=0, le=60, description="for one connection to an endpoint, its TLS included"
    )
    webhooks_timeout_s: DurationS = Field(
        default=15.0, gt=0, le=300, description="for one attempt, from looking up the name to the answer's status"
    )
    webhooks_first_wait_s: DurationS = Field(
        default=5.0, gt=0, description="before the second attempt; later waits are as long as all before them together"
    )
    webhooks_longest_wait_s: DurationS = Field(default=3600.0, gt=0, description="between two attempts")
    webhooks_give_up_after_s: DurationS = Field(
        default=259_200.0, gt=0, description="since the first attempt; what fails after that is given up"
    )

    @model_validator(mode="after")
    def _goes_together(self) -> "WebhookSettings":
        if self.webhooks_longest_wait_s < self.webhooks_first_wait_s:
            raise WrongVariable("WEBHOOKS_LONGEST_WAIT_S", "must not be less than WEBHOOKS_FIRST_WAIT_S")
        return self
