"""Everything that replicas, gateways and `webhooks` export, each series once, over parts that stand still."""

import tempfile
from pathlib import Path

from consumer.core.errors import Code
from consumer.core.lag import Backlog, PartitionLag
from consumer.core.model import TopicPartition
from consumer.core.ports import Traffic
from consumer.gateway.metrics import GatewayMetrics
from consumer.observability.collectors import GroupLagCollector, ReplicaCollector
from consumer.observability.metrics import Metrics
from consumer.webhooks.metrics import WebhookMetrics
from consumer.webhooks.sending import Outcome
from harness.fakes import FakeSeparator


def full_metrics() -> Metrics:
    metrics = Metrics()
    metrics.build.info({"version": "1.2.3", "runtime": "tensorflow"})
    metrics.jobs.labels("dead_lettered", Code.AUDIO_EMPTY).inc()
    metrics.dead_letters.labels(Code.AUDIO_EMPTY).inc()
    metrics.retries.labels("fetch").inc()
    metrics.outage_checks.labels("fetch").inc()
    metrics.stage_seconds.labels("fetch").observe(1.0)
    metrics.separated("2stems", audio_s=20.0, work_s=1.0)
    replica = ReplicaCollector(
        in_flight=lambda: 1,
        rebalances=lambda: 1,
        separators=lambda: [FakeSeparator().status],
        scratch_folder=Path(tempfile.gettempdir()),
        traffic=Traffic,
    )
    metrics.add_collector(replica.collect)
    lag = PartitionLag(partition=TopicPartition("separation.requests", 0), messages=1, oldest_at_s=1.0)
    backlog = Backlog(lags=[lag], taken_at=0.0)
    group_lag = GroupLagCollector(
        lambda: backlog, metrics.speed, requests_topic="separation.requests", target_wait_s=60.0, separators=1
    )
    metrics.add_collector(group_lag.collect)
    return metrics


def gateway_metrics() -> GatewayMetrics:
    metrics = GatewayMetrics()
    metrics.answered("GET", "/v1/models", 200, 0.01)
    metrics.watch(streams=lambda: 0, connections=lambda: 1, jobs=lambda: 1, lag=lambda: 1.0)
    return metrics


def webhook_metrics() -> WebhookMetrics:
    metrics = WebhookMetrics(lambda: {"main": 1.0})
    metrics.count(Outcome.DELIVERED)
    return metrics


def exported_names() -> set[str]:
    """Names of samples as PromQL knows them."""
    registries = (full_metrics().registry, gateway_metrics().registry, webhook_metrics().registry)
    return {sample.name for registry in registries for family in registry.collect() for sample in family.samples}
