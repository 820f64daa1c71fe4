"""How fast a file comes into the store: through the gateway, and by the store's own client."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2

from bench.table import Row
from harness.clips import write_clip
from harness.gateway import Gateway
from harness.platform import Platform

SECONDS, ROUNDS = 1200.0, 5


def upload_rows(door: Gateway, platform: Platform) -> Iterator[Row]:
    """In turns, so that a busy minute of the machine meets both."""
    track = write_clip(platform.folder / "long.wav", seconds=SECONDS, seed=1)
    megabytes = track.stat().st_size / 1e6
    bare_s, ours_s = [], []
    for number in range(ROUNDS):
        bare_s.append(_bare(platform, track, number))
        ours_s.append(_through(door.http, track))
    bare, ours = (megabytes / statistics.median(seconds) for seconds in (bare_s, ours_s))
    yield Row(what=f"a file of {megabytes:.0f} MB by multipart, to its 202", figure=f"{ours:.0f} MB/s")
    yield Row(what="the same file, by the store's own client", figure=f"{bare:.0f} MB/s")


def _bare(platform: Platform, track: Path, number: int) -> float:
    began_at = time.perf_counter()
    platform.minio.fput_object(platform.source_bucket, f"bare-{number}.wav", str(track))
    return time.perf_counter() - began_at


def _through(http: httpx2.Client, track: Path) -> float:
    began_at = time.perf_counter()
    with track.open("rb") as file:
        answer = http.post(
            "/v1/separations",
            files=[
                ("request", (None, b"{}", "application/json")),
                ("file", ("long.wav", file, "audio/wav")),
            ],
        )  # fmt: skip
    assert answer.status_code == httpx2.codes.ACCEPTED, answer.text
    return time.perf_counter() - began_at
