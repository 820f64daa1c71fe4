"""One Prometheus server, of the version that Debian has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from devstack import system
from devstack.asking import is_well
from devstack.service import Service


def prometheus(
    folder: Path, port: int, targets: Path, *, interval_s: float, rules: Mapping[str, Any] | None = None
) -> Service:
    """A server that scrapes what the file `targets` lists (Prometheus' file discovery), as it changes.

    interval_s: of scrapes, and of looks at the rules.
    """
    system.provide({"prometheus": "prometheus"})
    folder.mkdir(parents=True, exist_ok=True)
    interval = f"{round(interval_s * 1000)}ms"
    settings = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {
                "job_name": "spleeter-consumer",
                "file_sd_configs": [{"files": [str(targets)], "refresh_interval": interval}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    (folder / "rules.yml").write_text(yaml.safe_dump(rules or {}))
    return Service(
        name="Prometheus",
        command=[
            "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        folder=folder,
        is_ready=lambda: is_well(f"http://127.0.0.1:{port}/-/ready"),
    )  # fmt: skip
