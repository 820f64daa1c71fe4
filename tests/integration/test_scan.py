"""A replica with a malware scanner: a real one, which finds things, goes away and comes back."""

from pathlib import Path

import httpx2

from consumer.core.events import DeadLetter, SeparationResult
from devstack.clamd import EICAR, SIGNATURE, clamd
from devstack.service import free_port
from harness.clips import write_clip
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for


def scanner_check(replica: ReplicaProcess) -> str:
    """What /ready says of the scanner, "" while it says nothing."""
    page = replica.get("/ready")
    return "" if page is None else str(page.json()["checks"].get("scanner", ""))


def outage_checks(replica: ReplicaProcess) -> float:
    page = httpx2.get(f"http://127.0.0.1:{replica.port}/metrics", timeout=30).text
    told = [line for line in page.splitlines() if line.startswith('separation_outage_checks_total{stage="scan"}')]
    return float(told[0].split()[-1]) if told else 0.0


def test_nothing_is_opened_that_was_not_scanned(platform: Platform, tmp_path: Path) -> None:
    """Malware ends as MALWARE_FOUND and clean songs as results; while the scanner is away requests wait for it,
    /ready and the outage's checks say why, and no attempt is used up."""
    service = clamd(tmp_path / "clamd", free_port())
    scanner = service.start()
    replica = platform.start_replica(CLAMD_ADDRESS=str(tmp_path / "clamd" / "socket"))
    replica.wait_ready()
    assert scanner_check(replica) == "ok"
    page = replica.get("/ready")
    assert page
    assert page.json()["checks"]["sandbox"] == "landlock, seccomp, limits"
    song = write_clip(tmp_path / "song.mp3", seconds=1.0, seed=1)
    infected = tmp_path / "infected.mp3"
    infected.write_bytes(song.read_bytes() + bytes(6 << 20) + EICAR)
    clean, bad = platform.upload(song), platform.upload(infected)
    ids = {platform.request(key).request_id: key for key in (bad, clean)}
    outcomes = platform.outcomes(2)

    scanner.stop()
    waiting = [platform.request(key).request_id for key in (clean, bad)]
    wait_for(lambda: "can't be reached" in scanner_check(replica))
    wait_for(lambda: outage_checks(replica) > 10)
    assert len(platform.read_outcomes()) == 2
    scanner = service.start()
    wait_for(lambda: scanner_check(replica) == "ok")
    outcomes = platform.outcomes(4)
    scanner.stop()

    ids |= dict(zip(waiting, (clean, bad), strict=True))
    assert {outcome.request_id for outcome in outcomes} == set(ids)
    for outcome in outcomes:
        if isinstance(outcome, DeadLetter):
            assert ids[str(outcome.request_id)] == bad
            assert (outcome.code, outcome.stage, outcome.attempts) == ("MALWARE_FOUND", "scan", 1)
            assert outcome.message == f"the scanner found {SIGNATURE}"
        else:
            assert isinstance(outcome, SeparationResult)
            assert (ids[outcome.request_id], outcome.attempt) == (clean, 1)
    assert len(replica.said("separation.separate")) == 2, "malware reached the separator"


def test_a_scanner_for_small_files_ends_it_before_it_begins(platform: Platform, tmp_path: Path) -> None:
    """Where the scanner would refuse what MAX_OBJECT_BYTES allows, it says so in one line and reads nothing."""
    port = free_port()
    scanner = clamd(tmp_path / "clamd", port, max_bytes=1 << 20).start()
    done = platform.run("run", CLAMD_ADDRESS=f"127.0.0.1:{port}", HTTP_PORT="0", SCRATCH_DIR=str(tmp_path))
    scanner.stop()
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, last[:34]) == (1, "spleeter-consumer: CLAMD_ADDRESS: ")
    assert "MAX_OBJECT_BYTES" in last
