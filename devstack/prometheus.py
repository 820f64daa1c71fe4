"""A Prometheus server, Debian's, that scrapes what it is told to and evaluates the rules it is given."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from devstack import system
from devstack.service import Service


def prometheus(
    folder: Path, port: int, targets: Mapping[str, str], *, rules: Mapping[str, Any] | None = None, every: str = "1s"
) -> Service:
    """targets: name → host:port of each replica; every: how often they are scraped, and the rules looked at."""
    system.provide({"prometheus": "prometheus"})
    folder.mkdir(parents=True, exist_ok=True)
    replicas = [{"targets": [address], "labels": {"instance": name}} for name, address in targets.items()]
    configuration = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": ["rules.yml"] if rules else [],
        "scrape_configs": [{"job_name": "spleeter-consumer", "static_configs": replicas}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    address = f"127.0.0.1:{port}"
    return Service(
        name="Prometheus",
        command=[
            "prometheus", "--config.file=prometheus.yml", f"--web.listen-address={address}",
            f"--storage.tsdb.path={folder / 'data'}",
        ],
        folder=folder,
        is_ready=lambda: _answers(address),
    )  # fmt: skip


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/-/ready", timeout=2).is_success
    except httpx.HTTPError:
        return False
