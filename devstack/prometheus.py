"""One Prometheus server, of the version that Debian has."""

from pathlib import Path

import httpx
import yaml

from devstack import system
from devstack.service import Service


def prometheus(folder: Path, port: int, targets: Path, *, interval_s: int) -> Service:
    """A server that scrapes what the file `targets` lists (Prometheus' file discovery), as it changes."""
    system.provide({"prometheus": "prometheus"})
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "global": {"scrape_interval": f"{interval_s}s", "evaluation_interval": f"{interval_s}s"},
        "scrape_configs": [
            {
                "job_name": "spleeter-consumer",
                "file_sd_configs": [{"files": [str(targets)], "refresh_interval": f"{interval_s}s"}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    return Service(
        name="Prometheus",
        command=[
            "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        folder=folder,
        is_ready=lambda: _answers(port),
    )  # fmt: skip


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready", timeout=2).is_success
    except httpx.HTTPError:
        return False
