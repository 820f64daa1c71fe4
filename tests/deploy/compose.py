"""The Compose file as Docker Compose itself understands it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from devstack import build

ROOT = Path(__file__).parents[2]
OURS = ("topics", "buckets", "consumer", "lag", "gateway", "webhooks")  # services that run this project's own images
PROXIED = ROOT / "deploy/compose/proxied.yml"
FILE, DEVELOPMENT = ROOT / "docker-compose.kafka.yml", ROOT / "deploy/compose/development.env"


def config(env_file: Path | None, *further: Path, text: str | None = None) -> "subprocess.CompletedProcess[str]":
    """What Compose makes of the file, or of a text in its place, and of further files; nothing is started."""
    chosen = ["--env-file", str(env_file)] if env_file else ["--env-file", os.devnull]
    return subprocess.run(
        [str(build.compose_binary()), *chosen, "--project-directory", str(ROOT), "-f", "-" if text else str(FILE),
         *(option for path in further for option in ("-f", str(path))), "--profile", "*", "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        input=text, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def services(*further: Path) -> dict[str, dict[str, Any]]:
    """All that Compose would run, by name; of the Compose file, and of further ones that are laid over it."""
    ran = config(DEVELOPMENT, *further)
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout)["services"])
