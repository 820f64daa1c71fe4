"""A process of the service, as its operator sees it: its pages, its log and its children."""

import json
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
from prometheus_client.parser import text_string_to_metric_families

from devstack.asking import get
from harness.waiting import PATIENCE_S, wait_for

_PAGE_S = 30.0  # a page that comes late on a busy machine is none that is missing


@dataclass(slots=True)
class ReplicaProcess:
    """log: the file of what it says, line by line. port: where its HTTP pages are."""

    process: "subprocess.Popen[bytes]"
    log: Path
    port: int

    def get(self, page: str, **headers: str) -> httpx2.Response | None:
        """A page of its HTTP port, None while nothing listens or answers there."""
        try:
            return get(f"http://127.0.0.1:{self.port}{page}", headers=headers, timeout=_PAGE_S)
        except httpx2.HTTPError:
            return None

    def gauges(self, name: str) -> dict[tuple[str, int], float]:
        """A gauge's series by topic and partition; those without these labels under ("", -1)."""
        page = self.get("/metrics")
        return {} if page is None else series(page.text, name)

    def is_ready(self) -> bool:
        page = self.get("/ready")
        return page is not None and page.is_success

    def wait_ready(self, patience_s: float = PATIENCE_S) -> None:
        wait_for(lambda: self.is_ready() or self.process.poll() is not None, patience_s=patience_s)
        assert self.process.poll() is None, self.log.read_text()[-2000:]

    def separators(self) -> list[psutil.Process]:
        """Its children that separate; the one that reads the lag is none of them."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if any(word.endswith((".separator", ".separator.process")) for word in child.cmdline()):
                    found.append(child)
        return found

    def lines(self) -> list[dict[str, object]]:
        whole, _, _ = self.log.read_text().rpartition("\n")  # the last line may not be whole
        return [json.loads(line) for line in whole.splitlines()]

    def said(self, event: str) -> list[dict[str, object]]:
        return [line for line in self.lines() if line["event"] == event]


def series(page: str, name: str) -> dict[tuple[str, int], float]:
    """What one page of metrics says of a gauge, by topic and partition."""
    return {
        (sample.labels.get("topic", ""), int(sample.labels.get("partition", -1))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == f"separation_{name}"
    }
