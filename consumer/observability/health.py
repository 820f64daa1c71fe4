"""What a replica is asked by its probes, as one value: named questions by page."""

from collections.abc import Callable, Mapping

# A probe returns what is wrong, in words, or "" if nothing is.
Probe = Callable[[], str]


class Health:
    """`live` is asked by /health: is anything here stuck for good? `ready` by /ready: can this replica do its work?

    `started` by /started: has it begun? Until then nobody should ask whether it is stuck. `notes` stand on /ready too,
    but keep nobody from working, whatever they say.
    """

    def __init__(
        self,
        live: Mapping[str, Probe],
        ready: Mapping[str, Probe],
        started: Mapping[str, Probe] | None = None,
        notes: Mapping[str, Probe] | None = None,
    ) -> None:
        self._live, self._ready, self._started, self._notes = live, ready, started or {}, notes or {}

    def live(self) -> dict[str, str]:
        return {name: probe() for name, probe in self._live.items()}

    def ready(self) -> dict[str, str]:
        return {name: probe() for name, probe in self._ready.items()}

    def started(self) -> dict[str, str]:
        return {name: probe() for name, probe in self._started.items()}

    def notes(self) -> dict[str, str]:
        """Those that have anything to say."""
        return {name: said for name, probe in self._notes.items() if (said := probe())}
