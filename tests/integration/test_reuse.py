"""The same content under another request id, through a real process and real object storage."""

from pathlib import Path

from consumer.core.events import SeparationResult
from harness.clips import write_clip
from harness.platform import Platform
from harness.waiting import wait_for


def results(platform: Platform, count: int) -> dict[str, SeparationResult]:
    found = platform.outcomes(count)
    assert all(isinstance(outcome, SeparationResult) for outcome in found), found
    return {outcome.request_id or "": outcome for outcome in found if isinstance(outcome, SeparationResult)}


def test_the_same_content_is_separated_once(platform: Platform, tmp_path: Path) -> None:
    """A copy of a song under another key and id gets the same stems without a separation; another tenant's does not."""
    song = write_clip(tmp_path / "song.flac", seconds=3.0, seed=8)
    key, copy = platform.upload(song), platform.upload(song, "the same song.flac")
    replica = platform.start_replica(DEDUPLICATE_CONTENT="true")
    replica.wait_ready()
    first = platform.request(key, output_format="flac", tenant="a")
    made = results(platform, 1)[first.request_id]
    wait_for(lambda: platform.objects("stems/.index/"))
    second = platform.request(copy, output_format="flac", tenant="a")
    copied = results(platform, 2)[second.request_id]
    assert (made.deduplicated, copied.deduplicated) == (False, True)
    assert [stem.sha256 for stem in copied.stems] == [stem.sha256 for stem in made.stems]
    assert copied.source.key == copy
    assert len(replica.said("separation.separate")) == 1
    for stem in copied.stems:
        assert stem.key.startswith(f"stems/a/{second.request_id}/")
        original = next(other for other in made.stems if other.name == stem.name)
        assert body(platform, stem.key) == body(platform, original.key)
        assert platform.minio.stat_object(stem.bucket, stem.key).content_type == "audio/flac"
    assert platform.objects(f"stems/a/{second.request_id}/manifest.json")

    strangers = platform.request(copy, output_format="flac", tenant="b")
    assert not results(platform, 3)[strangers.request_id].deduplicated
    assert len(replica.said("separation.separate")) == 2


def body(platform: Platform, key: str) -> bytes:
    response = platform.minio.get_object(platform.output_bucket, key)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()
