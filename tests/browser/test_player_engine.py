"""The player's clock: what sounds is the stems' own samples, all at the same time, to the sample and without a gap."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page

from tests.browser.player_page import expected, render
from tests.browser.song_server import Song, WavStem, no_fault, served

RATE_HZ = 44100
SIZES = {"first": 5003, "longest": 30011}  # frames: many borders, none of them round


def three(frames: int, **options: Any) -> list[WavStem]:
    return [
        WavStem(name=name, seed=seed, frames=frames, **options) for seed, name in enumerate(("vocals", "drums", "bass"))
    ]


@pytest.fixture(scope="module")
def song() -> Iterator[Song]:
    with served(*three(12 * RATE_HZ + 17)) as running:
        yield running


def assert_same(got: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
    """To the sample. Chromium begins a chunk some 1e-14 of a sample aside now and then, which shows beside zeros."""
    assert got.shape == wanted.shape
    assert float(np.abs(got - wanted).max(initial=0.0)) < 1e-12


def whole_spans(spans: list[dict[str, int]]) -> list[tuple[int, int]]:
    """Start and end in the track of what was played without a gap and without a jump."""
    joined: list[list[int]] = []
    for span in spans:
        if joined and joined[-1][1] == span["start"] and joined[-1][2] == span["at"]:
            joined[-1][1:] = [span["start"] + span["frames"], span["at"] + span["frames"]]
        else:
            joined.append([span["start"], span["start"] + span["frames"], span["at"] + span["frames"]])
    return [(start, end) for start, end, _ in joined]


def test_what_is_played_is_the_sum_of_the_stems_to_the_sample(page: Page, song: Song) -> None:
    """From the first frame to the last, over each border between chunks, and silence behind the end."""
    got = render(page, song.job(), seconds=13, sizes=SIZES)
    assert len(got["spans"]) > 15
    assert whole_spans(got["spans"]) == [(0, 12 * RATE_HZ + 17)]
    assert_same(got["samples"], expected(song.stems, got["spans"], 13 * RATE_HZ))


def test_a_seek_goes_to_the_very_sample(page: Page, song: Song) -> None:
    """While it plays: what was handed over is taken back, and the place that was asked for sounds."""
    got = render(page, song.job(), seconds=4, sizes=SIZES, actAt=1.5, act="seek", value=234567, **{"from": 1111})
    first, second = whole_spans(got["spans"][:1]), got["spans"][-1]
    assert first[0][0] == 1111
    moved = next(span for span in got["spans"] if span["start"] == 234567)
    heard = np.any(got["samples"] != 0, axis=1)
    assert second["start"] > 234567
    after = expected(song.stems, [s for s in got["spans"] if s["at"] >= moved["at"]], 4 * RATE_HZ)
    assert_same(got["samples"][moved["at"] :], after[moved["at"] :])
    silent = int(moved["at"]) - int(np.flatnonzero(heard[: moved["at"]])[-1])
    assert silent >= 0.04 * RATE_HZ  # it begins a little later, so that all stems begin together


def test_a_span_is_looped_without_a_gap(page: Page, song: Song) -> None:
    """Its last sample is followed by its first, again and again; switched off, it goes on where it is."""
    loop = {"start": 50_000, "end": 50_000 + 41_003}
    options: Any = {"loop": loop, "from": 50_000, "actAt": 3.0, "act": "setLoop", "value": None}
    got = render(page, song.job(), seconds=5, sizes=SIZES, **options)
    starts = [start for start, _ in whole_spans(got["spans"])]
    ends = [end for _, end in whole_spans(got["spans"])]
    assert starts == [50_000] * len(starts)
    assert len(starts) >= 4
    assert ends[:-1] == [loop["end"]] * (len(ends) - 1)
    assert ends[-1] > loop["end"]
    gaps = [b["at"] - a["at"] - a["frames"] for a, b in pairwise(got["spans"])]
    assert set(gaps) == {0}
    assert_same(got["samples"], expected(song.stems, got["spans"], 5 * RATE_HZ))


def test_a_loop_that_is_set_while_it_sounds_ends_at_its_very_end(page: Page, song: Song) -> None:
    """Also where its end lies within what was handed over already."""
    sizes = {"first": 60_000, "longest": 60_000}
    act: Any = {"act": "setLoop", "value": {"start": 30_000, "end": 70_001}}
    got = render(page, song.job(), seconds=4, sizes=sizes, actAt=1.1, **act)
    latest = {span["at"]: span for span in got["spans"]}
    assert whole_spans(list(latest.values()))[0] == (0, 70_001)
    assert {start for start, _ in whole_spans(list(latest.values()))[1:]} == {30_000}
    assert_same(got["samples"], expected(song.stems, list(latest.values()), 4 * RATE_HZ))


@pytest.mark.parametrize(
    ("levels", "heard"),
    [
        ({"vocals": {"isMuted": True}}, {"drums": 1.0, "bass": 1.0}),
        ({"vocals": {"isSolo": True}}, {"vocals": 1.0}),
        ({"vocals": {"isSolo": True}, "bass": {"isSolo": True, "percent": 50}}, {"vocals": 1.0, "bass": 0.25}),
        ({"vocals": {"isSolo": True, "isMuted": True}}, {}),
        ({"drums": {"percent": 0}}, {"vocals": 1.0, "bass": 1.0}),
    ],
)
def test_mute_solo_and_volume(page: Page, song: Song, levels: dict[str, Any], heard: dict[str, float]) -> None:
    """Mute wins over solo; a fader in the middle is a quarter."""
    whole = {name: {"percent": 100, "isMuted": False, "isSolo": False, **levels.get(name, {})} for name in song.stems}
    gains = page.evaluate("async (levels) => (await import('/page/player/levels.js')).gainsOf(levels)", whole)
    assert gains == {name: heard.get(name, 0) for name in song.stems}
    got = render(page, song.job(), seconds=1, gains=gains)
    [span, *_] = got["spans"]
    at = span["at"]
    parts = [gain * song.stems[name].samples(0, 20_000) / 32768 for name, gain in heard.items()]
    wanted = np.sum(parts, axis=0) if parts else np.zeros((20_000, 2))
    assert_same(got["samples"][at : at + 20_000], wanted.astype(np.float32))


def test_a_late_chunk_has_all_stems_wait_together(page: Page, song: Song) -> None:
    """One stem is slow: the others don't run ahead, and nothing is left out once it has come."""
    late = Late()
    song.fault = late.fault
    try:
        got = render(page, song.job(), seconds=6, sizes={"first": 40_000, "longest": 40_000}, lateUntil=3.0)
    finally:
        late.came.set()
        song.fault = no_fault
    spans = got["spans"]
    assert [b["start"] for b in spans[1:]] == [a["start"] + a["frames"] for a in spans[:-1]]
    gaps = [b["at"] - a["at"] - a["frames"] for a, b in pairwise(spans)]
    assert sum(gap > RATE_HZ for gap in gaps) == 1
    assert sum(gap != 0 for gap in gaps) == 1
    assert_same(got["samples"], expected(song.stems, spans, 6 * RATE_HZ))


class Late:
    """A fault: one stem's second half a second comes once the icon was asked for."""

    def __init__(self) -> None:
        self.came = threading.Event()

    def fault(self, song: Song, path: str, handler: BaseHTTPRequestHandler) -> bool:
        if path == "/page/icon.svg":
            self.came.set()
        first = int((handler.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if path.endswith("/drums") and first > 2 * RATE_HZ:
            assert self.came.wait(30)
        return False
