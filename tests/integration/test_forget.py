"""`forget` on the real stack, by a command alone: from the topics and the store it finds what there is of requests."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from consumer.core.events import DeadLetter, SeparationResult
from consumer.core.forgotten import tombstone_key
from harness.clips import write_clip
from harness.holding import hold_ffmpegs
from harness.platform import COMMAND, Platform
from harness.waiting import wait_for


@pytest.fixture
def song(platform: Platform, tmp_path: Path) -> str:
    """The key of a song in the source bucket."""
    return platform.upload(write_clip(tmp_path / "song.wav", seconds=3, seed=1))


def forget(platform: Platform, *arguments: str, **environment: str) -> list[str]:
    """The lines that it prints."""
    done = platform.run("forget", *arguments, **environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout.splitlines()


def stems(platform: Platform) -> set[str]:
    """The requests that have something in the store, by the folder that it lies in."""
    return {key.rpartition("/")[0] for key in platform.objects("") if not key.startswith("forgotten/")}


def ask(platform: Platform, song: str, **fields: Any) -> str:
    """The id of a request that was sent."""
    return platform.request(song, **fields).request_id


def test_one_request(platform: Platform, song: str) -> None:
    """What goes is told beforehand, and then goes; again is no error; what begins alike stays, also the tenant that the
    request is named like.
    """
    platform.start_replica()
    for fields in ({"request_id": "abc"}, {"request_id": "abcd"}, {"request_id": "abc2", "tenant": "abc"}):
        ask(platform, song, **fields)
    platform.outcomes(3)
    lines = forget(platform, "abc", "--dry-run")
    assert len(lines) == 3
    assert all(line.startswith("abc: version of ") and line.endswith(" would go") for line in lines)
    assert "manifest.json" in lines[-1]
    assert stems(platform) == {"stems/abc", "stems/abcd", "stems/abc/abc2"}
    assert platform.objects("forgotten/") == set()
    assert forget(platform, "abc") == ["abc: forgotten, 3 objects gone"]
    assert forget(platform, "abc") == ["abc: forgotten, 0 objects gone"]
    assert stems(platform) == {"stems/abcd", "stems/abc/abc2"}
    assert platform.objects("forgotten/") == {"forgotten/stems/none/abc.json"}
    [tenants] = forget(platform, "abc2")  # whose it is the topics tell
    assert tenants.startswith("abc2: forgotten")
    assert platform.objects("forgotten/stems/tenant-abc/") == {"forgotten/stems/tenant-abc/abc2.json"}
    assert stems(platform) == {"stems/abcd"}
    events = [(each.action, each.request_id, each.tenant) for each in platform.audit_events() if "forg" in each.action]
    assert set(events) == {
        (action, request_id, tenant)
        for action in ("separation.forget_requested", "separation.forgotten")
        for request_id, tenant in (("abc", None), ("abc2", "abc"))
    }


def test_wrong_use(platform: Platform) -> None:
    """2 for what can't be meant, 1 for what is not known; one line each."""
    for arguments in ((), ("a b",), ("x" * 65,)):
        done = platform.run("forget", *arguments)
        assert done.returncode == 2, done.stderr
    for unknown in (("nobody",), ("--tenant", "nobody"), ("nobody", "--tenant", "nobody"), ("nobody", "--dry-run")):
        done = platform.run("forget", *unknown)
        assert done.returncode == 1
        assert "nothing is known of it" in done.stderr
        assert done.stderr.count("\n") == 1
    assert platform.objects("forgotten/") == set()


def test_one_under_way(platform: Platform, tmp_path: Path) -> None:
    """It is cancelled, and its end waited for."""
    long = platform.upload(write_clip(tmp_path / "long.flac", seconds=600.0, seed=3))
    replica = platform.start_replica()
    request_id = ask(platform, long)
    wait_for(lambda: replica.said("separation.fetch") and hold_ffmpegs(replica))
    forget(platform, request_id, "--timeout-s", "150")
    [letter] = platform.outcomes(1)
    assert isinstance(letter, DeadLetter)
    assert letter.code == "CANCELLED"
    assert stems(platform) == set()


def test_one_that_nobody_begins(platform: Platform, song: str) -> None:
    """Not said done before it has ended; nobody begins it afterwards."""
    request_id = ask(platform, song)
    done = platform.run("forget", request_id, "--timeout-s", "1")
    assert done.returncode == 1
    assert "has not ended in 1 s: run this again" in done.stderr
    platform.start_replica()
    [letter] = platform.outcomes(1)
    assert isinstance(letter, DeadLetter)
    assert letter.code == "CANCELLED"
    assert forget(platform, request_id) == [f"{request_id}: forgotten, 0 objects gone"]
    assert stems(platform) == set()


def test_all_of_a_tenant(platform: Platform, song: str) -> None:
    """Those with stems, those that failed, and those that nobody has begun; nobody else's. Also by a command that was
    killed and run again.
    """
    replica = platform.start_replica(DEDUPLICATE_CONTENT="true")
    mine = [ask(platform, song, tenant="mine", start_s=0.1 * number) for number in range(4)]
    mine.append(ask(platform, "no-such-song", tenant="mine"))
    theirs = [ask(platform, song, tenant="mine2"), ask(platform, song)]
    platform.outcomes(7)
    wait_for(lambda: len(platform.objects("stems/.entries/")) == 6)
    replica.process.terminate()
    assert replica.process.wait(60) == 0
    queued = ask(platform, song, tenant="mine")
    before = platform.objects("")
    lines = forget(platform, "--tenant", "mine", "--dry-run")
    assert {line.partition(":")[0] for line in lines} >= {*mine[:4], queued}
    assert platform.objects("") == before
    killed = subprocess.Popen(
        [*COMMAND, "forget", "--tenant", "mine"], env=platform.environment, stdout=subprocess.DEVNULL
    )
    wait_for(lambda: platform.objects("forgotten/"), every_s=0.01)
    killed.kill()
    killed.wait(30)
    forget(platform, "--tenant", "mine")
    assert stems(platform) >= {f"stems/mine2/{theirs[0]}", f"stems/{theirs[1]}"}
    assert not [key for key in platform.objects("") if key.startswith("stems/mine/")]
    assert len(platform.objects("stems/.entries/")) == 2
    assert len(platform.objects("stems/.index/")) == 2
    assert len(platform.objects("stems/.content/")) == 2
    assert platform.objects("forgotten/") == {tombstone_key("stems/", "mine", each) for each in [*mine, queued]}
    platform.start_replica()
    outcomes = {outcome.request_id: outcome for outcome in platform.outcomes(8)}
    letter = outcomes[queued]
    assert isinstance(letter, DeadLetter)
    assert letter.code == "CANCELLED"
    assert not [key for key in platform.objects("") if key.startswith("stems/mine/")]


def test_all_versions_go(platform: Platform, song: str, tmp_path: Path) -> None:
    """In buckets that keep versions, also those that somebody only deleted, and what marks that they did."""
    for bucket in (platform.output_bucket, platform.source_bucket):
        platform.minio.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    upload = "uploads/0123"
    for seed in (1, 2):
        platform.upload(write_clip(tmp_path / f"{seed}.wav", seconds=3, seed=seed), upload)
    platform.upload(write_clip(tmp_path / "3.wav", seconds=3, seed=3), "uploads/01234")
    platform.start_replica(DEDUPLICATE_CONTENT="true")
    request_id = ask(platform, upload)
    assert isinstance(platform.outcomes(1)[0], SeparationResult)
    wait_for(lambda: platform.objects("stems/.entries/"))
    platform.minio.fput_object(platform.output_bucket, f"stems/{request_id}/vocals.wav", __file__)
    platform.minio.remove_object(platform.output_bucket, f"stems/{request_id}/accompaniment.wav")
    forget(platform, request_id)
    found = [
        (str(item.object_name), item.is_delete_marker)
        for bucket in (platform.output_bucket, platform.source_bucket)
        for item in platform.minio.list_objects(bucket, recursive=True, include_version=True)
    ]
    kept = {(f"forgotten/stems/none/{request_id}.json", False), (song, False), ("uploads/01234", False)}
    assert {each for each in found if ".probe-" not in each[0]} == kept  # a replica's probe is no request
