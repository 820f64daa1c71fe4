"""The pages of the probes and of the metrics, as values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer."""

    status: int
    media_type: str
    body: bytes


NOT_FOUND = Page(status=404, media_type="text/plain", body=b"not found\n")
NOT_IMPLEMENTED = Page(status=501, media_type="text/plain", body=b"only GET and HEAD\n")


def probe_page(findings: Mapping[str, str], notes: Mapping[str, str] | None = None) -> Page:
    """200 where nothing was found, else 503, with each finding by its probe's name; notes change no status."""
    is_well = not any(findings.values())
    checks = {name: words or "ok" for name, words in findings.items()} | dict(notes or {})
    content = {"status": "ok" if is_well else "unavailable", "checks": checks}
    body = json.dumps(content, indent=1).encode() + b"\n"
    return Page(status=200 if is_well else 503, media_type="application/json", body=body)


def text_metrics_page(registry: CollectorRegistry) -> Page:
    """In Prometheus' text format."""
    return Page(status=200, media_type="text/plain; version=0.0.4; charset=utf-8", body=generate_latest(registry))


def openmetrics_page(registry: CollectorRegistry) -> Page:
    """In OpenMetrics' format, with exemplars."""
    body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
    return Page(status=200, media_type=openmetrics.CONTENT_TYPE_LATEST, body=body)
