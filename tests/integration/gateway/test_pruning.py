"""A gateway's index beside topics that drop their oldest records."""

import asyncio
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient

from consumer.core.events import SeparationResult
from consumer.gateway.index.ends import TopicEnds
from consumer.gateway.index.job_index import JobIndex
from consumer.gateway.index.pruning import keep_pruned
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import ProgressBook
from consumer.gateway.parts import make_follower
from consumer.gateway.settings import Settings
from harness.gateway import KEY
from harness.platform import Platform

ENDED = 6


def test_what_brokers_drop_goes(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs whose results are deleted from the topic go, by the brokers' word alone; the others stay."""
    asked = [platform.request("song.wav") for _ in range(ENDED + 2)]
    for request in asked[:ENDED]:
        result = SeparationResult(request_id=request.request_id)
        platform.send_to("RESULTS", platform.codec.encode(result), request.request_id)
    for name, value in {**platform.environment, "SPLEETER_API_KEY": KEY}.items():
        monkeypatch.setenv(name, value)
    asyncio.run(_follow(platform, Settings.load(), tmp_path, {each.request_id for each in asked[ENDED:]}))


async def _follow(platform: Platform, settings: Settings, folder: Path, kept: set[str]) -> None:
    table, progress = JobTable(folder), ProgressBook()
    results = settings.topics.results
    ends = TopicEnds(settings.kafka, settings.topics.requests)
    of_results = TopicEnds(settings.kafka, results)
    index = JobIndex(table, progress, ends)
    follower = make_follower(settings, table, progress, index, ends)
    follower.start()
    pruning = asyncio.create_task(keep_pruned(of_results.begins, follower.note_begins, every_s=0.1))
    try:
        async with asyncio.timeout(60):
            while len(_shown(table)) < ENDED + len(kept) or not follower.has_caught_up:
                await asyncio.sleep(0.1)
        await asyncio.to_thread(_delete_all, platform, results)
        async with asyncio.timeout(60):
            while _shown(table) != kept:
                await asyncio.sleep(0.1)
        begins = follower.begins
        written = of_results()
        assert sum(written.values()) > 0
        assert {place: begins[place] for place in written} == written
    finally:
        pruning.cancel()
        await asyncio.to_thread(follower.stop)
        for each in (ends, of_results, table):
            each.close()


def _shown(table: JobTable) -> set[str]:
    return {entry.request_id for entry in table.page(None, state=None, before=None, limit=100)}


def _delete_all(platform: Platform, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    partitions = admin.list_topics(topic, timeout=30).topics[topic].partitions
    # -1 is the end, whatever it is by then.
    for deleted in admin.delete_records([KafkaPartition(topic, number, -1) for number in partitions]).values():
        deleted.result(30)
