"""The page on HTTP, followed as it stands by someone who has curl and nothing else, and by a program in Go."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from devstack import build, system
from harness.clips import write_clip
from harness.gateway import KEY, Gateway
from harness.pages import DOCS, ROOT, commands
from harness.platform import Platform
from harness.waiting import PATIENCE_S


def curl(line: str, **environment: str) -> dict[str, object]:
    """What one of the page's lines prints."""
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True, text=True, timeout=PATIENCE_S, check=True,
    )  # fmt: skip
    found: dict[str, object] = json.loads(ran.stdout)
    return found


@pytest.fixture
def go_example(tmp_path: Path) -> Path:
    """A checkout's folder with the program in Go and `go` in it, and a song where the program is called."""
    shutil.copytree(ROOT / "examples/go-http", tmp_path / "examples/go-http")
    write_clip(tmp_path / "examples/go-http/song.mp3", seconds=2, seed=3)
    (tmp_path / "bin").mkdir()
    go = tmp_path / "bin/go"
    go.write_text(f'#!/bin/sh\nexec {" ".join(build.go_command())} "$@"\n')
    go.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("is_sent", [True, False], ids=["file", "object"])
def test_the_tour_in_go(platform: Platform, door: Gateway, go_example: Path, is_sent: bool) -> None:
    """By the page's lines: the stems are those that the gateway tells of, byte for byte as it has them."""
    platform.upload(go_example / "examples/go-http/song.mp3", "song.mp3")
    platform.start_replica().wait_ready()
    build_line, run_line = (line for line in commands(DOCS / "http.md") if line.startswith("cd examples/go-http"))
    if not is_sent:
        run_line = run_line.replace("song.mp3", f"{platform.source_bucket}/song.mp3")
    own = {"PATH": f"{go_example / 'bin'}:{os.environ['PATH']}", "GOTOOLCHAIN": "local"}
    told = {**os.environ, **own, "SPLEETER_API_URL": door.url, "SPLEETER_API_KEY": KEY}
    for line in (build_line, run_line):
        ran = subprocess.run(
            ["bash", "-euc", line], cwd=go_example, env=told,
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
    shown = json.loads(ran.stdout)
    assert (shown["state"], len(platform.requests())) == ("succeeded", 1)
    for stem in shown["result"]["stems"]:
        there = door.http.get(f"/v1/separations/{shown['id']}/stems/{stem['name']}").content
        assert (go_example / "examples/go-http/stems" / f"{stem['name']}.flac").read_bytes() == there


def test_the_tour(platform: Platform, door: Gateway, tmp_path: Path) -> None:
    """Asking waits for the stems, and looking finds them; the same line again is the same separation; then it goes."""
    system.provide({"curl": "curl"})
    platform.upload(write_clip(tmp_path / "song.wav", seconds=2, seed=3), "song.mp3")
    platform.start_replica().wait_ready()
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
