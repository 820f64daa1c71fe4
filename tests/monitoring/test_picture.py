"""The dashboard's picture: every panel of it can be drawn, whatever its queries bring."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from bench.panels import Series, draw, told

DASHBOARD = Path(__file__).parents[2] / "deploy/grafana/dashboard.json"


def some(query: str) -> Sequence[Series]:
    """One series where there is one for all, several elsewhere, with a gap; nothing for one query."""
    if "restarts" in query:
        return []
    at_s = [float(second) for second in range(60)]
    values = [float("nan")] * 5 + [float(second % 20) for second in range(55)]
    count = 1 if query.startswith(("max(", "count(", "sum(max")) else 12
    return [Series(labels={"instance": f"replica-{n}"}, at_s=at_s, values=values) for n in range(count)]


def test_every_panel_is_drawn_into_a_small_picture(tmp_path: Path) -> None:
    """Stats and lines, gaps, no data and long legends included."""
    draw(json.loads(DASHBOARD.read_text()), some, 60.0, "a title", tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size < 200_000
    with Image.open(tmp_path / "picture.png") as picture:
        colors = picture.convert("RGB").getcolors(1 << 24)
    assert colors is not None
    assert len(colors) > 20, "it is nearly empty"


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.0, "s", "0 s"), (0.25, "s", "250 ms"), (90.0, "s", "90 s"), (300.0, "s", "5 min"), (2.0, "short", "2"),
        (1536.0, "bytes", "1.5 KiB"), (0.0, "bytes", "0 B"), (3 << 30, "Bps", "3 GiB/s"), (0.5, "ops", "0.5 ops/s"),
    ],
)  # fmt: skip
def test_values_are_told_in_their_units(value: float, unit: str, words: str) -> None:
    """As Grafana writes them."""
    assert told(value, unit) == words
