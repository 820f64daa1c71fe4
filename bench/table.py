"""Rows of the tables that benchmarks print, in Markdown."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """figure: what was measured, with its unit."""

    what: str
    figure: str

    def __str__(self) -> str:
        return f"| {self.what} | {self.figure} |"


def spread_ms(taken_ms: Sequence[float]) -> str:
    """The median and the 99th percentile."""
    return f"{statistics.median(taken_ms):.1f} / {statistics.quantiles(taken_ms, n=100)[-1]:.1f} ms"
