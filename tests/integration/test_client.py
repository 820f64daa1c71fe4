"""The client on real servers, with a real replica at work."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from consumer.client import Client, SeparationFailed
from consumer.core.errors import Rejected
from harness.clips import write_clip
from harness.platform import Platform
from harness.waiting import wait_for


@pytest.fixture
def client(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """As a program on this platform makes it."""
    for name, value in platform.environment.items():
        monkeypatch.setenv(name, value)
    with Client.from_env() as client:
        yield client


def test_a_song_goes_in_and_its_stems_come_out(platform: Platform, client: Client, tmp_path: Path) -> None:
    """From a local file to local files, as long as the song; a file that is none ends with its code."""
    platform.start_replica().wait_ready()
    (tmp_path / "none.mp3").write_bytes(b"no music at all" * 99)
    failing = client.separate(tmp_path / "none.mp3")
    job = client.separate(write_clip(tmp_path / "song.wav", seconds=2.0, seed=6), format="flac", metadata={"n": "1"})
    assert job.result(100).metadata == {"n": "1"}
    files = job.download(tmp_path / "stems")
    assert set(files) == {"vocals", "accompaniment"}
    assert {soundfile.info(path).frames for path in files.values()} == {2 * 44100}
    with pytest.raises(SeparationFailed) as caught:
        failing.result(100)
    assert caught.value.code in ("AUDIO_UNDECODABLE", "FORMAT_NOT_ALLOWED")
    assert client.job(job.request_id).result(30) == job.result()
    with client.results(idle_s=30) as results, client.dead_letters(idle_s=30) as letters:
        assert next(results).event == job.result()
        assert next(letters).event == caught.value.letter


def is_too_large(platform: Platform, value: bytes) -> bool:
    """Whether the topic of requests takes no record of this size."""
    told: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
    producer.produce(platform.topic("REQUESTS"), value, on_delivery=lambda error, _: told.append(error))
    assert producer.flush(30) == 0
    return told[0] is not None and told[0].code() == KafkaError.MSG_SIZE_TOO_LARGE


def take_no_more_than(platform: Platform, size_bytes: int) -> None:
    """Whatever is larger the topic of requests refuses from now on."""
    entry = ConfigEntry("max.message.bytes", str(size_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, platform.topic("REQUESTS"), incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    admin.incremental_alter_configs([resource])[resource].result(30)
    wait_for(lambda: is_too_large(platform, os.urandom(2 * size_bytes)))  # some time after it has said yes


def noise(characters: int, seed: int = 0) -> str:
    """What lz4 can't make small."""
    return "".join(chr(0x4E00 + number) for number in random.Random(seed).choices(range(20000), k=characters))


def test_a_record_that_is_too_large_takes_no_other_with_it(platform: Platform, client: Client) -> None:
    """Brokers refuse a batch as a whole. Of many that come at once, and are too large together too, one alone ends."""
    take_no_more_than(platform, 4000)
    sent = [
        client.separate("music/a.mp3", metadata={"noise": noise(6000 if number == 20 else 500, seed=number)})
        for number in range(40)
    ]
    large = sent.pop(20)
    with pytest.raises(Rejected, match="takes no record of this size"):
        large.sent()
    assert len({job.sent() for job in sent}) == len(sent)


def test_what_the_brokers_refuse_is_told_at_its_job(platform: Platform, client: Client) -> None:
    """A topic that takes no record of this size: it ends with the reason, and what is sent later is taken."""
    take_no_more_than(platform, 2000)
    large = client.separate("music/a.mp3", metadata={"noise": noise(3000)})
    with pytest.raises(Rejected, match=platform.topic("REQUESTS")):
        large.sent()
    assert client.separate("music/a.mp3").sent() is not None
    with pytest.raises(Rejected):
        large.result(30)
