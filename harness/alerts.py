"""The alerts as they are shipped, in fast motion, and as the Prometheus operator takes them.

`python -m harness.alerts` writes the latter, from the former.
"""

import re
import textwrap
from pathlib import Path
from typing import Any

import yaml

ALERTS = Path(__file__).parents[1] / "deploy/prometheus/alerts.yml"
RULE = ALERTS.with_name("prometheus-rule.yaml")
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_TIMES_FASTER, _TIMES_FEWER = 60, 4
_AGES = (
    "separation_lag_seconds",
    "separation_open_transaction_seconds",
    "separation_webhook_oldest_undelivered_seconds",
)


def shipped() -> dict[str, Any]:
    rules: dict[str, Any] = yaml.safe_load(ALERTS.read_text())
    return rules


def in_fast_motion(scratch_bytes: float) -> dict[str, Any]:
    """The shipped rules with other numbers, so that a test sees them fire and clear within a minute.

    A minute lasts a second: each `for`, each range and the age in seconds is 60 times shorter. A quarter of the
    records that wait is enough. Scratch space is low below scratch_bytes. All else is as it is shipped.
    """
    rules = shipped()
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        expr = re.sub(r"(?<=[\[:])\d+[smh]", lambda span: _faster(span[0]), rule["expr"].strip())
        expr, _, bound = expr.rpartition(" ")
        rule["expr"] = f"{expr} {_bound(expr, float(bound), scratch_bytes):g}" if bound[0].isdigit() else rule["expr"]
        if "for" in rule:
            rule["for"] = _faster(rule["for"])
    return rules


def _bound(expr: str, bound: float, scratch_bytes: float) -> float:
    if "separation_scratch_free_bytes" in expr:
        return scratch_bytes
    if any(age in expr for age in _AGES):
        return bound / _TIMES_FASTER
    return bound / _TIMES_FEWER if "separation_lag_messages" in expr else bound


def _faster(span: str) -> str:
    return f"{int(span[:-1]) * _UNITS_MS[span[-1]] // _TIMES_FASTER}ms"


def prometheus_rule() -> str:
    """The shipped alerts as a PrometheusRule, whose file is deploy/prometheus/prometheus-rule.yaml."""
    head = """\
# Written from alerts.yml by `python -m harness.alerts`: change that.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: spleeter-consumer
  labels: {app.kubernetes.io/name: spleeter-consumer, app.kubernetes.io/component: alerts}
spec:
"""
    _, _, groups = ALERTS.read_text().partition("\ngroups:\n")
    return head + textwrap.indent(f"groups:\n{groups}", "  ")


if __name__ == "__main__":
    RULE.write_text(prometheus_rule())
