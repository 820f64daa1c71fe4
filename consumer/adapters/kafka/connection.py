"""Whether a member of a group is connected, by its client's statistics: polling does not tell that brokers are away."""

import json
import time
from collections.abc import Callable

from consumer.core.ports import Traffic


class Connection:
    """To be given to a client as its `stats_cb`. `clock` gives seconds on a monotonic clock.

    forsaken_s: after so long without a connection another client is to be tried. What a member has at work is given up
    with it, so it is left to come back by itself before.
    trouble: "" while there is a connection, or as long as nothing was told. traffic: as of the latest statistics.
    """

    def __init__(self, *, forsaken_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._forsaken_s, self._clock = forsaken_s, clock
        self._lost_at: float | None = None
        self.traffic = Traffic()

    def __call__(self, text: str) -> None:
        statistics = json.loads(text)
        # Brokers of the bootstrap list have no id.
        is_connected = any(
            broker["state"] == "UP" and broker["nodeid"] >= 0 for broker in statistics["brokers"].values()
        )
        if is_connected:
            self._lost_at = None
        elif self._lost_at is None:
            self._lost_at = self._clock()
        self.traffic = Traffic(
            received_bytes=statistics["rx_bytes"],
            sent_bytes=statistics["tx_bytes"],
            round_trip_s=max((broker["rtt"]["avg"] for broker in statistics["brokers"].values()), default=0) / 1e6,
        )

    @property
    def trouble(self) -> str:
        return "" if self._lost_at is None else "no broker can be reached"

    @property
    def is_forsaken(self) -> bool:
        """Whether there was none for so long that another client is to be tried: see kept_client."""
        return self._lost_at is not None and self._clock() - self._lost_at > self._forsaken_s

    def try_anew(self) -> None:
        """Give another client as much time."""
        if self._lost_at is not None:
            self._lost_at = self._clock()
