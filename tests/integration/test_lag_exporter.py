"""`lag --serve` beside a real broker, with no replica at all."""

from pathlib import Path

from harness.clips import write_clip
from harness.platform import Platform
from harness.waiting import wait_for

WAITING = 5


def test_what_waits_is_seen_while_no_replica_runs(platform: Platform, tmp_path: Path) -> None:
    """Its figure is the number of requests sent, and it is no member of the group; told to stop, it ends well."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=5.0, seed=1))
    exporter = platform.start_lag_exporter()
    exporter.wait_ready()
    topic = platform.topic("REQUESTS")
    everywhere = {(f"{topic}{retry}", number): 0.0 for retry in ("", ".retry-1", ".retry-2") for number in range(6)}
    # On a busy machine what was read may be too old to be told just now.
    wait_for(lambda: exporter.gauges("lag_messages") == everywhere)
    wait_for(lambda: exporter.gauges("desired_replicas") == {("", -1): 0.0})
    for _ in range(WAITING):
        platform.request(key)
    wait_for(lambda: sum(exporter.gauges("lag_messages").values()) == WAITING)
    wait_for(lambda: exporter.gauges("desired_replicas").get(("", -1), 0.0) >= 1)
    replica = platform.start_replica()
    replica.wait_ready()
    platform.outcomes(WAITING)
    wait_for(lambda: set(exporter.gauges("lag_messages").values()) == {0.0})
    exporter.process.terminate()
    assert exporter.process.wait(60) == 0
