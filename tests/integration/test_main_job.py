"""The main job, end to end, through real processes."""

import io
import json
import wave
from pathlib import Path

import pytest

from consumer.core.events import SeparationResult
from harness.clips import write_clip
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for

STEMS = {
    "2stems": {"vocals", "accompaniment"},
    "4stems": {"vocals", "drums", "bass", "other"},
    "5stems": {"vocals", "drums", "bass", "piano", "other"},
}
# name -> ffmpeg's output options
INPUTS = {
    "stereo.mp3": (),
    "stereo.flac": (),
    "mono.wav": ("-ac", "1"),
    "48khz.m4a": ("-ar", "48000"),
    "surround.flac": ("-af", "pan=5.1|FL=FL|FR=FR|FC=0.5*FL+0.5*FR|LFE=FL|BL=FL|BR=FR"),
}
SECONDS = 13.0  # more than one segment
PARTITIONS = 6  # of each topic here


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_twenty_requests_through_three_replicas(platform: Platform, tmp_path: Path, protocol: str) -> None:
    """Each of 20 requests ends as one result with the right stems, wherever it ran; nothing is left to do."""
    keys = [
        platform.upload(write_clip(tmp_path / name, seconds=SECONDS, seed=seed, options=options))
        for seed, (name, options) in enumerate(INPUTS.items())
    ]
    for _ in range(3):
        platform.start_replica(MODELS="2stems,4stems,5stems", KAFKA_GROUP_PROTOCOL=protocol)
    for replica in platform.replicas:
        replica.wait_ready()
    wait_for(lambda: are_shared_out(platform))
    held = {replica.log: held_by(replica, platform.topic("REQUESTS")) for replica in platform.replicas}
    formats, models = ["wav", "flac", "mp3", "wav"], list(STEMS)
    requests = {
        request.request_id: request
        for i in range(20)
        for request in [
            platform.request(
                keys[i % len(keys)],
                model=models[i % 3],
                output_format=formats[i % 4],
                metadata={"number": str(i)},
            )
        ]
    }

    outcomes = platform.outcomes(20)

    assert sorted(outcome.request_id or "" for outcome in outcomes) == sorted(requests)
    for outcome in outcomes:
        assert isinstance(outcome, SeparationResult), outcome
        request = requests[outcome.request_id]
        folder = f"stems/{request.request_id}/"
        wanted = {f"{folder}{name}.{request.output.format}" for name in STEMS[request.model]}
        assert {stem.name for stem in outcome.stems} == STEMS[request.model]
        assert {stem.key for stem in outcome.stems} == wanted
        assert platform.objects(folder) == wanted | {f"{folder}manifest.json"}
        assert outcome.metadata == request.metadata
        assert not outcome.deduplicated
        assert outcome.source.duration_s == pytest.approx(SECONDS, abs=0.1)
        for stem in outcome.stems:
            assert stem.duration_s == pytest.approx(outcome.source.duration_s, abs=0.001)
            assert stem.peak > 0.01
    used = {f"{message.topic()}[{message.partition()}]" for message in platform.requests()}
    for replica in platform.replicas:  # there are so few partitions that one may have got nothing to do
        assert bool(replica.said("separation.separate")) == bool(held[replica.log] & used)


def held_by(replica: ReplicaProcess, topic: str) -> set[str]:
    """The partitions of the topic that the replica has by its log."""
    held = set[str]()
    for line in replica.lines():
        named = {str(each) for each in line.get("partitions") or ()}  # type: ignore[attr-defined]
        if line["event"] == "partitions.assigned":
            held |= named
        elif line["event"] in ("partitions.revoked", "partitions.lost"):
            held -= named
    return {each for each in held if each.startswith(f"{topic}[")}


def are_shared_out(platform: Platform) -> bool:
    """Whether each replica has partitions of the requests' topic, and each of those is one replica's."""
    held = [held_by(replica, platform.topic("REQUESTS")) for replica in platform.replicas]
    return all(held) and sum(map(len, held)) == len(set.union(*held)) == PARTITIONS


def test_result_tells_what_lies_in_the_bucket(platform: Platform, tmp_path: Path) -> None:
    """Sizes, digests, etag and duration in the result are those of the objects, and the manifest says the same."""
    import hashlib

    key = platform.upload(write_clip(tmp_path / "song.flac", seconds=2.0, seed=5))
    platform.start_replica().wait_ready()
    request = platform.request(key, start_s=0.5, duration_s=1.0)
    [result] = platform.outcomes(1)
    assert isinstance(result, SeparationResult)
    stat = platform.minio.stat_object(platform.source_bucket, key)
    assert result.source.etag == stat.etag
    assert result.source.duration_s == 1.0
    for stem in result.stems:
        body = platform.minio.get_object(stem.bucket, stem.key).read()
        assert len(body) == stem.size_bytes
        assert hashlib.sha256(body).hexdigest() == stem.sha256
        with wave.open(io.BytesIO(body)) as audio:
            assert (audio.getnframes(), audio.getnchannels(), audio.getframerate()) == (44100, 2, 44100)
    manifest = json.loads(
        platform.minio.get_object(platform.output_bucket, f"stems/{request.request_id}/manifest.json").read()
    )
    assert {stem["name"]: stem["sha256"] for stem in manifest["stems"]} == {s.name: s.sha256 for s in result.stems}


def test_same_request_again_is_answered_from_what_is_stored(platform: Platform, tmp_path: Path) -> None:
    """A request that is sent twice is separated once; the second result says so."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    replica = platform.start_replica()
    replica.wait_ready()
    request = platform.request(key)
    platform.outcomes(1)
    platform.send(platform.codec.encode(request), request.request_id)
    first, second = sorted(platform.outcomes(2), key=lambda result: result.deduplicated)  # type: ignore[union-attr]
    assert isinstance(first, SeparationResult)
    assert isinstance(second, SeparationResult)
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert first.stems == second.stems
    assert len(replica.said("separation.separate")) == 1


def test_request_and_watch_commands(platform: Platform, tmp_path: Path) -> None:
    """`request --wait` prints the result; `watch` shows what was published; a dead letter is exit code 1."""
    key = platform.upload(write_clip(tmp_path / "song.mp3", seconds=1.0, seed=7))
    platform.start_replica().wait_ready()
    done = platform.run("request", f"{platform.source_bucket}/{key}", "--stems", "2", "--format", "flac", "--wait")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["SeparationResult"]
    assert {stem["name"] for stem in result["stems"]} == STEMS["2stems"]
    failed = platform.run("request", f"{platform.source_bucket}/nothing.mp3", "--wait")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["DeadLetter"]["code"] == "OBJECT_NOT_FOUND"
    watched = platform.run("watch", "--from-beginning", "--count", "2")
    kinds = [next(iter(json.loads(line))) for line in watched.stdout.splitlines()]
    assert set(kinds) <= {"SeparationResult", "DeadLetter", "SeparationProgress"}
    assert len(kinds) == 2
