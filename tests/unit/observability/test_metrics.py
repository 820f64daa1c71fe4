"""Labels hold our own words alone, whatever strangers send."""

import json
from collections.abc import Callable
from typing import Any

from consumer.core.catalog import MODELS
from consumer.core.errors import Code
from consumer.core.events import OutputOptions, SourceObject
from consumer.core.lag import Backlog, PartitionLag, PendingRecord, UnfinishedLog
from consumer.core.model import OUR_HEADER_PREFIX, TopicPartition
from consumer.core.version import VERSION
from consumer.observability.lag import RequestEstimator
from consumer.observability.metrics import Metrics
from harness.fakes import a_request
from harness.replica import CODEC, REQUESTS, RETRIES, Harness

STRANGE = 'x"} 1\n# EOF\n' + "9" * 300
STAGES = {
    "decode", "validate", "recall", "model", "fetch", "reuse", "copy", "separate", "store", "encode", "publish",
}  # fmt: skip
KNOWN = {
    "outcome": {"done", "retried", "dead_lettered"},
    "code": {"", *Code},
    "stage": STAGES,
    "model": set(MODELS),
    "process": {"consumer", "separator", "ffmpeg"},
    "version": {VERSION},
    "runtime": {"tensorflow"},
}


def labels(metrics: Metrics) -> set[tuple[str, str]]:
    """Every label and its value, but for the buckets' bounds."""
    return {
        pair
        for family in metrics.registry.collect()
        for sample in family.samples
        for pair in sample.labels.items()
        if pair[0] != "le"
    }


def test_no_stranger_s_word_becomes_a_label(make: Callable[..., Harness]) -> None:
    """Requests with strange models, formats, ids, buckets, keys and headers leave no trace in any label."""
    harness = make()
    good = SourceObject(bucket="in", key="a.mp3")
    strange: tuple[dict[str, Any], ...] = (
        {"model": STRANGE}, {"model": "2stems\n"}, {"output": OutputOptions(format=STRANGE)}, {"request_id": STRANGE},
        {"source": SourceObject(bucket=STRANGE, key="a")}, {"source": SourceObject(bucket="in", key=STRANGE)},
        {"source": good, "tenant": STRANGE, "metadata": {STRANGE: STRANGE}}, {"model": "4stems"},
    )  # fmt: skip
    for number, fields in enumerate(strange):
        harness.send(**({"request_id": f"r{number}"} | fields))
    told = {"attempt": 2, "not_before_ms": 0, "history": [STRANGE], "topic": "strange", "partition": 7, "offset": 1}
    header = json.dumps(told | {"timestamp_ms": 0}).encode()
    for value in (CODEC.encode(a_request(model=STRANGE)), STRANGE.encode(), None):
        harness.broker.send(
            RETRIES[0], value, headers=((f"{OUR_HEADER_PREFIX}redelivery", header), (STRANGE, STRANGE.encode()))
        )
    harness.start()
    assert len(harness.outcomes()) == 11
    found = labels(harness.metrics)
    assert {name for name, _ in found} == KNOWN.keys()
    assert {(name, value) for name, value in found if value not in KNOWN[name]} == set()
    assert ("model", "2stems") in found, "what was separated is told"


def test_a_strange_model_is_no_demand_of_its_own() -> None:
    """What waits under a model that nobody knows is counted as a record, and as no work, under no name."""
    tail = UnfinishedLog(0)
    for offset in range(50):
        model, audio_s = RequestEstimator(CODEC)(CODEC.encode(a_request(model=f"{offset}{STRANGE}")))
        tail.add(PendingRecord(offset=offset, at_s=1.0, model=model, audio_s=audio_s))
    lag: PartitionLag = tail.lag(REQUESTS, 50)
    assert lag.messages == 50
    assert Backlog(lags=[lag], taken_at=0.0).demand() == {}
    assert lag.partition == TopicPartition("requests", 0)
