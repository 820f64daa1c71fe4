"""What probes find out about a gateway."""

import time
from collections.abc import Callable, Mapping

from consumer.core.ports import Check
from consumer.gateway.index.follower import IndexFollower
from consumer.observability.health import Health
from consumer.observability.probes import Dependency


def make_health(
    follower: IndexFollower,
    dependencies: Mapping[str, Check],
    *,
    keys: Callable[[], str],
    clock: Callable[[], float] = time.monotonic,
) -> Health:
    """dependencies: each thing outside that it needs, by name. keys: why nobody with a token is let in, if so."""

    def index() -> str:
        return follower.trouble or ("" if follower.has_caught_up else "the index is still being read")

    return Health(
        live={"index": lambda: follower.trouble if follower.is_broken else ""},
        ready={
            "index": index,
            "keys": keys,
            **{name: Dependency(check, clock) for name, check in dependencies.items()},
        },
        started={"index": index},
    )
