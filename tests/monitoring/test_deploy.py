"""What is deployed for operators speaks of metrics that the code exports, and each alert of a page that helps."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from consumer.observability.metric_table import METRICS
from harness.exported import exported_names, full_metrics, gateway_metrics, webhook_metrics
from tests.monitoring.conftest import Promtool

ROOT = Path(__file__).parents[2]
ALERTS, ALERTS_TEST = ROOT / "deploy/prometheus/alerts.yml", ROOT / "deploy/prometheus/alerts_test.yml"
DASHBOARD, RUNBOOK = ROOT / "deploy/grafana/dashboard.json", ROOT / "docs/runbook.md"
PAGE = ROOT / "docs/observability.md"
RUNBOOKS = "https://docs.example.com/spleeter-consumer/runbook/"  # to be set by who serves the pages
GATEWAY_ROW = "How do callers of the gateway fare?"
WEBHOOK_ROW = "Are endpoints told?"
PROMISED = {
    "jobs_total", "stage_seconds_bucket", "audio_seconds_total", "in_flight", "retries_total", "dead_letters_total",
    "lag_messages", "lag_seconds", "backlog_work_seconds", "desired_replicas", "realtime_factor", "rebalances_total",
    "separator_restarts_total", "build_info",
}  # fmt: skip


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    """Every query of the dashboard, with Grafana's own variable replaced."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [query.replace("$__rate_interval", "1m") for query in found]


@pytest.mark.parametrize(
    "registry",
    [full_metrics().registry, gateway_metrics().registry, webhook_metrics().registry],
    ids=["replica", "gateway", "webhooks"],
)
def test_metrics_page_is_clean(promtool: Promtool, registry: CollectorRegistry) -> None:
    """promtool has nothing to say against the page, and OpenMetrics' parser reads the other one."""
    ran = promtool("check", "metrics", feed=generate_latest(registry).decode())
    assert (ran.stdout, ran.stderr) == ("", "")
    assert list(parse_openmetrics(generate_openmetrics(registry).decode()))  # type: ignore[no-untyped-call]


def test_every_metric_of_the_contract_is_exported() -> None:
    """The names that others rely on are there."""
    assert {f"separation_{name}" for name in PROMISED} <= exported_names()


@pytest.mark.parametrize("path", [ALERTS, ALERTS_TEST, DASHBOARD, RUNBOOK], ids=lambda path: path.name)
def test_every_metric_that_is_named_is_exported(path: Path) -> None:
    """Nobody waits for an alert, or looks at a panel, that can never show anything."""
    named = set(re.findall(r"\bseparation_[a-z_]+", path.read_text()))
    assert named
    assert named <= exported_names()


def test_every_metric_of_the_page_is_one() -> None:
    """The page for operators names metrics as the table or a scrape does."""
    named = set(re.findall(r"\bseparation_[a-z_]+", PAGE.read_text()))
    assert named <= exported_names() | {spec.name for spec in METRICS}


def test_every_metric_is_looked_at() -> None:
    """Each metric of the table stands on the dashboard or in an alert, but for those that only describe."""
    looked_at = re.findall(r"\bseparation_[a-z_]+", " ".join([*queries(), *(alert["expr"] for alert in alerts())]))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in looked_at}
    assert {spec.name for spec in METRICS} - families == {"separation_build_info"}
    assert families <= {spec.name for spec in METRICS}


def test_rules_are_valid_and_fire_as_they_should(promtool: Promtool) -> None:
    """promtool accepts the rules, and its unit tests of them pass."""
    promtool("check", "rules", str(ALERTS))
    promtool("test", "rules", str(ALERTS_TEST))


def test_each_alert_is_tested_both_ways() -> None:
    """For each alert there is a case in which it fires, and one in which it does not."""
    cases = [case for test in yaml.safe_load(ALERTS_TEST.read_text())["tests"] for case in test["alert_rule_test"]]
    names = {alert["alert"] for alert in alerts()}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


def test_each_alert_has_its_section_in_the_runbook() -> None:
    """An alert says what is wrong and names the section that helps; the runbook has no other sections."""
    sections = re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert sections == [alert["alert"] for alert in alerts()]
    for alert in alerts():
        assert alert["annotations"]["runbook_url"] == f"{RUNBOOKS}#{alert['alert'].lower()}"
        assert alert["annotations"]["summary"]
        assert alert["labels"]["severity"] in ("warning", "critical")


def test_alerts_lead_to_where_one_says(tmp_path: Path) -> None:
    """The documented command changes the beginning of every link, and nothing else."""
    [command] = re.findall(r"^sed -i .*$", (ROOT / "docs/deploy.md").read_text(), re.MULTILINE)
    copy = tmp_path / ALERTS.relative_to(ROOT)
    copy.parent.mkdir(parents=True)
    copy.write_text(ALERTS.read_text())
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, timeout=120)
    assert copy.read_text() == ALERTS.read_text().replace(RUNBOOKS, "https://wiki.example.org/runbook/")
    assert RUNBOOKS not in copy.read_text()


def test_dashboard_s_queries_are_valid(promtool: Promtool, tmp_path: Path) -> None:
    """Prometheus can parse every query of the dashboard; each panel has a title and a place of its own."""
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(tmp_path / "rules.yml"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert len(set(places)) == len(places)
    assert all(panel["title"] for panel in panels())


def test_lag_is_never_summed_over_replicas() -> None:
    """Each replica tells the whole group's lag, so every sum of it takes the maximum a partition first."""
    for query in [*queries(), *(alert["expr"] for alert in alerts())]:
        for _ in re.finditer(r"separation_lag_messages", query):
            assert not re.search(r"\bsum\b", query) or "max by (topic, partition) (separation_lag_messages" in query


def test_dashboard_prefers_what_replicas_measured(promtool: Promtool, tmp_path: Path) -> None:
    """Where replicas run, their figure of the work is shown; the exporter's, which assumes a speed, where none do."""
    for metric in ("separation_backlog_work_seconds", "separation_desired_replicas"):
        shown = {query for query in queries() if metric in query}
        case = {
            "interval": "1m",
            "input_series": [
                {"series": 'separation_in_flight{instance="a"}', "values": "1x5 stale"},
                {"series": f'{metric}{{instance="a"}}', "values": "3x5 stale"},
                {"series": f'{metric}{{instance="lag"}}', "values": "9x20"},
            ],
            "promql_expr_test": [
                {"expr": query, "eval_time": time, "exp_samples": [{"labels": "{}", "value": value}]}
                for query in shown
                for time, value in (("5m", 3), ("10m", 9))
            ],
        }
        assert shown
        (tmp_path / "test.yml").write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [case]}))
        promtool("test", "rules", str(tmp_path / "test.yml"))


def test_dashboard_answers_its_questions() -> None:
    """Is anyone waiting, why, which replica, which errors, how callers fare, are endpoints told: a row each."""
    rows = [panel["title"] for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] == "row"]
    assert rows == ["Is anyone waiting?", "Why?", "Which replica?", "Which errors?", GATEWAY_ROW, WEBHOOK_ROW]
