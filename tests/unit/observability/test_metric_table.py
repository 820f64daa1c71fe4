"""The table of metrics is all that is exported."""

import pytest

from consumer.observability import metric_table
from consumer.observability.metric_table import METRICS, Kind, MetricSpec
from consumer.observability.metrics import Metrics
from harness.exported import full_metrics, gateway_metrics, webhook_metrics

# Everything that may tell time series apart. An id, a key or a stranger's word would be without bounds. Three are the
# gateway's: methods that it knows, templates of its routes, HTTP's numbers. An endpoint's is its name in the operator's
# file, which holds a hundred at most.
LABELS = {
    "outcome", "code", "stage", "model", "topic", "partition", "process", "version", "runtime",
    "method", "route", "status", "endpoint",
}  # fmt: skip
SAMPLES = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count", "_created"), Kind.COUNTER: ("_total", "_created")}


def test_a_scrape_shows_the_table_and_nothing_else() -> None:
    """Every metric of a process has its row, and every row its metric: name, type, labels, meaning."""
    all_metrics = (full_metrics(), gateway_metrics(), webhook_metrics())
    found = [family for metrics in all_metrics for family in metrics.registry.collect()]
    families = {family.name: family for family in found}
    assert len(families) == len(METRICS)
    for spec in METRICS:
        family = families[spec.family]
        assert (family.type, family.documentation) == (spec.kind, spec.meaning)
        endings = SAMPLES.get(spec.kind, (spec.name.removeprefix(spec.family),))
        assert {sample.name for sample in family.samples} <= {f"{spec.family}{ending}" for ending in endings}
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(spec.labels)


def test_every_metric_is_declared_once() -> None:
    """The module's constants are the table's rows, and no two rows have one name."""
    constants = [value for value in vars(metric_table).values() if isinstance(value, MetricSpec)]
    assert sorted(spec.name for spec in METRICS) == sorted({spec.name for spec in constants})


@pytest.mark.parametrize("spec", METRICS, ids=lambda spec: spec.name)
def test_every_metric_is_declared_well(spec: MetricSpec) -> None:
    """Each metric has the service's prefix, a meaning, its unit in its name where that has one, and known labels."""
    assert spec.name.startswith("separation_")
    assert spec.meaning
    assert spec.unit
    assert set(spec.labels) <= LABELS
    for unit in ("seconds", "bytes"):
        assert spec.family.endswith(f"_{unit}") == (spec.unit in (unit, f"{unit} of audio"))
    assert spec.name.endswith("_total") == (spec.kind is Kind.COUNTER)
    assert bool(spec.buckets) == (spec.kind is Kind.HISTOGRAM)
    assert list(spec.buckets) == sorted(set(spec.buckets))


def test_each_replica_has_metrics_of_its_own() -> None:
    """Two in one process, as in tests, do not meet in a global registry."""
    one, other = Metrics(), Metrics()
    one.jobs.labels("done", "").inc()
    assert other.registry.get_sample_value("separation_jobs_total", {"outcome": "done", "code": ""}) == 0
