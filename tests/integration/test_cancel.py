"""Requests that are cancelled, through real processes."""

from pathlib import Path

from consumer.core.events import DeadLetter, SeparationResult
from harness.clips import write_clip
from harness.holding import hold_ffmpegs
from harness.platform import Platform
from harness.waiting import wait_for


def test_a_job_in_flight_is_cancelled(platform: Platform, tmp_path: Path) -> None:
    """A long job that is cancelled by the command is a dead letter CANCELLED and leaves no stems; the next one runs."""
    long = platform.upload(write_clip(tmp_path / "long.flac", seconds=600.0, seed=3))
    short = platform.upload(write_clip(tmp_path / "short.flac", seconds=1.0, seed=4))
    replica = platform.start_replica()
    replica.wait_ready()
    unwanted = platform.request(long)
    wait_for(lambda: replica.said("separation.fetch") and hold_ffmpegs(replica))

    cancelled = platform.run("cancel", unwanted.request_id, "--reason", "changed my mind")

    assert cancelled.returncode == 0, cancelled.stderr
    wanted = platform.request(short)
    letters = [outcome for outcome in platform.outcomes(2) if isinstance(outcome, DeadLetter)]
    [letter] = letters
    assert (letter.request_id, letter.code) == (unwanted.request_id, "CANCELLED")
    assert "changed my mind" in letter.message
    assert platform.objects(f"stems/{unwanted.request_id}/") == set()
    assert platform.objects(f"stems/{wanted.request_id}/")
    assert replica.said("control.cancelled")[0]["was_at_work"] is True
    wait_for(lambda: replica.said("separation.dead_lettered"))  # a moment after it is committed
    assert replica.said("separation.dead_lettered")[0]["code"] == "CANCELLED"
    replica.wait_ready()


def test_a_request_is_cancelled_before_anyone_has_read_it(platform: Platform, tmp_path: Path) -> None:
    """Cancellations that were sent before a replica started are known to it, and what is no cancellation is ignored."""
    key = platform.upload(write_clip(tmp_path / "short.flac", seconds=1.0, seed=4))
    unwanted, wanted = platform.request(key), platform.request(key, start_s=0.1)
    platform.send_to("CONTROL", b"garbage", "x")
    assert platform.run("cancel", unwanted.request_id).returncode == 0
    replica = platform.start_replica()
    outcomes = {outcome.request_id: outcome for outcome in platform.outcomes(2)}
    letter = outcomes[unwanted.request_id]
    assert isinstance(letter, DeadLetter)
    assert (letter.code, letter.stage) == ("CANCELLED", "validate")
    assert isinstance(outcomes[wanted.request_id], SeparationResult)
    wait_for(lambda: len(replica.said("control.ignored")) == 1)


def test_a_missing_control_topic_stops_nobody(platform: Platform, tmp_path: Path) -> None:
    """Without a control topic a replica works; once there is one, it is followed."""
    key = platform.upload(write_clip(tmp_path / "short.flac", seconds=1.0, seed=4))
    elsewhere = f"{platform.topic('CONTROL')}-later"
    replica = platform.start_replica(TOPIC_CONTROL=elsewhere)
    replica.wait_ready()
    platform.request(key)
    assert isinstance(platform.outcomes(1)[0], SeparationResult)
    assert platform.run("topics", "create", TOPIC_CONTROL=elsewhere).returncode == 0
    assert platform.run("cancel", "nobody", TOPIC_CONTROL=elsewhere).returncode == 0
    wait_for(lambda: replica.said("control.cancelled"))
    assert replica.process.poll() is None
