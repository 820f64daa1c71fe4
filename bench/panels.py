"""Draws a Grafana dashboard's panels where the dashboard has them, from what its own queries bring."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Affine2D, Bbox
from PIL import Image

_BEHIND, _PANEL, _TEXT, _FAINT = "#111217", "#1d1f25", "#d8d9e0", "#8e9099"
_COLOURS = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#5fc7c4", "#e0b4a2", "#96d98d")
_COLUMNS, _COLUMN_IN, _ROW_IN, _GAP_IN, _TOP_IN = 24, 0.62, 0.3, 0.1, 0.45
_DPI, _SHADES = 100, 256
_MOST_IN_LEGEND = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """labels, and values (NaN where there was none) at seconds of the picture's time."""

    labels: Mapping[str, str]
    at_s: Sequence[float]
    values: Sequence[float]


Ask = Callable[[str], Sequence[Series]]


def draw(dashboard: Mapping[str, Any], ask: Ask, span_s: float, title: str, path: Path) -> None:
    """Write the picture; `ask` is put each query, for the span from 0 to span_s."""
    panels = dashboard["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    width_in, height_in = _COLUMNS * _COLUMN_IN, rows * _ROW_IN + _TOP_IN
    figure = Figure(figsize=(width_in, height_in), dpi=_DPI, facecolor=_BEHIND)
    figure.text(0.008, 1 - 0.24 / height_in, title, color=_FAINT, fontsize=9, va="center")
    for panel in panels:
        place = panel["gridPos"]
        top_in = height_in - _TOP_IN - place["y"] * _ROW_IN
        if panel["type"] == "row":
            figure.text(
                0.008, (top_in - _ROW_IN / 2) / height_in, panel["title"], color=_TEXT, fontsize=12, va="center",
                weight="bold",
            )  # fmt: skip
            continue
        width, height = place["w"] * _COLUMN_IN - _GAP_IN, place["h"] * _ROW_IN - _GAP_IN
        box = Bbox.from_bounds(place["x"] * _COLUMN_IN + _GAP_IN / 2, top_in - height, width, height)
        _bare(_inside(figure, box), panel["title"], height)
        if panel["type"] == "stat":
            _stat(_inside(figure, box, top=0.55), panel, ask)
        else:
            _lines(_inside(figure, box, left=0.55, bottom=0.55, right=0.12, top=0.32), panel, ask, span_s)
    figure.savefig(path)
    # Few colours make a small file.
    Image.open(path).convert("RGB").quantize(_SHADES, dither=Image.Dither.NONE).save(path, optimize=True)


def _inside(figure: Figure, box: Bbox, *, left: float = 0, bottom: float = 0, right: float = 0, top: float = 0) -> Axes:
    """Axes within a box, with these margins; all in inches."""
    bounds = Bbox.from_extents(box.x0 + left, box.y0 + bottom, box.x1 - right, box.y1 - top)
    inner = bounds.transformed(Affine2D().scale(*(1 / figure.get_size_inches())))
    return figure.add_axes(inner.bounds, facecolor=_PANEL)


def _bare(axes: Axes, title: str, height_in: float) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.text(
        0.5, 1 - 0.16 / height_in, title, color=_TEXT, fontsize=9, ha="center", va="center", transform=axes.transAxes
    )


def _stat(axes: Axes, panel: Mapping[str, Any], ask: Ask) -> None:
    """The last value in large, over its course."""
    _, series = _found(panel, ask)[0]
    axes.set_axis_off()
    axes.fill_between(series.at_s, series.values, color=_COLOURS[0], alpha=0.18, linewidth=0)
    axes.plot(series.at_s, series.values, color=_COLOURS[0], linewidth=1, alpha=0.6)
    axes.set_xlim(series.at_s[0], series.at_s[-1])
    axes.set_ylim(0, 1.6 * max(1e-9, *(value for value in series.values if not math.isnan(value))))
    last = [value for value in series.values if not math.isnan(value)][-1]
    axes.text(
        0.5, 0.72, told(last, _unit(panel)), color=_COLOURS[0], fontsize=20, weight="bold", ha="center", va="center",
        transform=axes.transAxes,
    )  # fmt: skip


def _lines(axes: Axes, panel: Mapping[str, Any], ask: Ask, span_s: float) -> None:
    found = _found(panel, ask)
    for number, (name, series) in enumerate(found):
        colour = _COLOURS[number % len(_COLOURS)]
        label = name if number < _MOST_IN_LEGEND else None
        axes.plot(series.at_s, series.values, color=colour, linewidth=1.1, label=label)
        axes.fill_between(series.at_s, series.values, color=colour, alpha=0.07, linewidth=0)
    unit = _unit(panel)
    axes.set_xlim(0, span_s)
    axes.set_ylim(bottom=0)
    if axes.get_ylim()[1] < 1e-6 or not found:
        axes.set_ylim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: told(value, unit)))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 3, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{int(value) // 60}:{int(value) % 60:02d}"))
    axes.tick_params(colors=_FAINT, labelsize=7, length=0)
    axes.grid(color="#2c2f36", linewidth=0.6)
    axes.spines[:].set_visible(False)
    if found:
        # Below the plot, in as many columns as the names leave room for.
        extent = axes.get_window_extent()
        width_in, height_in = extent.width / _DPI, extent.height / _DPI
        longest = max(len(name) for name, _ in found)
        legend = axes.legend(
            loc="upper left", bbox_to_anchor=(-0.45 / width_in, -0.22 / height_in), fontsize=6.5, frameon=False,
            ncols=max(1, int((width_in + 0.55) / (0.25 + 0.047 * longest))), handlelength=1.0, columnspacing=1.0,
            handletextpad=0.4, borderaxespad=0,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_color(_TEXT)
    else:
        axes.text(0.5, 0.5, "No data", color=_FAINT, fontsize=9, ha="center", transform=axes.transAxes)


def _found(panel: Mapping[str, Any], ask: Ask) -> list[tuple[str, Series]]:
    """What the panel's queries bring, each with its name in the legend."""
    return [
        (_name(target["legendFormat"], series.labels), series)
        for target in panel["targets"]
        for series in ask(target["expr"])
    ]


def _name(legend: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda label: labels.get(label[1], ""), legend) or "value"


def _unit(panel: Mapping[str, Any]) -> str:
    return str(panel["fieldConfig"]["defaults"]["unit"])


def told(value: float, unit: str) -> str:
    """A value in one of Grafana's units, as it would write it."""
    if unit == "s":
        return f"{value / 60:.3g} min" if abs(value) >= 100 else _with_prefix(value, ("ms", "s"), first=1e-3)
    if unit in ("bytes", "Bps"):
        names = ("B", "KiB", "MiB", "GiB", "TiB")
        power = min(len(names) - 1, int(math.log(max(1, abs(value)), 1024)))
        return f"{value / 1024**power:.3g} {names[power]}" + ("/s" if unit == "Bps" else "")
    return f"{value:.3g}" + (" ops/s" if unit == "ops" else "")


def _with_prefix(value: float, names: tuple[str, str], *, first: float) -> str:
    return f"{value / first:.3g} {names[0]}" if 0 < abs(value) < 1 else f"{value:.3g} {names[1]}"
