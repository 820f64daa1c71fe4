"""The page on HTTP, followed as it stands by someone who has curl and nothing else."""

import json
import subprocess
from pathlib import Path

from devstack import system
from harness.clips import write_clip
from harness.gateway import KEY, Gateway
from harness.pages import DOCS, commands
from harness.platform import PATIENCE_S, Platform


def curl(line: str, **environment: str) -> dict[str, object]:
    """What one of the page's lines prints."""
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True, text=True, timeout=PATIENCE_S, check=True,
    )  # fmt: skip
    found: dict[str, object] = json.loads(ran.stdout)
    return found


def test_the_tour(platform: Platform, door: Gateway, tmp_path: Path) -> None:
    """Asking waits for the stems, and looking finds them; the same line again is the same separation; then it goes."""
    system.provide({"curl": "curl"})
    platform.upload(write_clip(tmp_path / "song.wav", seconds=2, seed=3), "song.mp3")
    platform.start_replica()
    lines = (line for line in commands(DOCS / "http.md") if line.startswith("curl") and "/v1/separations" in line)
    ask, look, forget = lines
    ask = ask.replace('"music"', f'"{platform.source_bucket}"')
    told = {"GATEWAY": door.url, "SPLEETER_API_KEY": KEY}
    asked = curl(ask, **told)
    assert (asked["state"], asked["done"]) == ("succeeded", True)
    assert curl(look, ID=str(asked["id"]), **told) == asked
    assert curl(ask, **told) == asked
    assert len(platform.requests()) == 1
    assert curl(forget, ID=str(asked["id"]), **told) == {"id": asked["id"], "forgotten": True}
    assert curl(look, ID=str(asked["id"]), **told)["code"] == "FORGOTTEN"
