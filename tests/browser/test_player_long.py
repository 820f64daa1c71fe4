"""A track of two hours: what is held of it stays small, and after an hour the stems are where they began: together."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from harness.browser import Window, window
from tests.browser.player_page import asked_parts, expected, mount, render
from tests.browser.song_server import Song, WavStem, served

NAMES = ("vocals", "piano", "drums", "bass", "other")
HOUR_S = 3600
LIMIT_BYTES = 60e6
RATE_HZ = 44100
SLOW_RATE_HZ = 3000  # for what takes an hour: the engine counts in frames, whatever their rate

# Plays by a clock that is turned by hand, as fast as chunks come; what the nodes are told is all that is looked at.
_SIMULATED = """
async ({job, seconds, from}) => {
  const {Engine} = await import('/page/player/engine.js');
  const {openStems, makeReaders, playability} = await import('/page/player/open_stems.js');
  const {Api} = await import('/page/api.js');
  const readers = makeReaders({api: new Api({key: 'k'}), job, onTrouble: () => {}});
  const {stems} = await openStems({readers, how: playability(job.result.stems)});
  const names = Object.keys(stems);
  const sampleRate = stems[names[0]].rateHz;
  const starts = [];
  const inputs = [];
  const context = {
    currentTime: 0, sampleRate, outputLatency: 0, destination: null,
    createGain() {
      const input = {gain: {value: 1}, connect() {}, starts: []};
      inputs.push(input);
      return input;
    },
    createBufferSource() {
      return {
        connect(input) { this.input = input; },
        start(when) { this.input.starts.push([when, this.buffer.length]); },
        stop() {}, disconnect() {},
      };
    },
    resume: async () => {}, suspend: async () => {}, close: async () => {},
  };
  const engine = new Engine({stems, gains: Object.fromEntries(names.map((n) => [n, 1])), makeContext: () => context});
  let held = 0;
  engine.addEventListener('change', () => { held = Math.max(held, engine.heldBytes); });
  engine.seek(from * sampleRate);
  await engine.play();
  for (let turns = 0; context.currentTime < seconds && turns < 200000; turns += 1) {
    const end = engine.spans.at(-1);
    const ahead = end ? (end.at + end.frames) / sampleRate - context.currentTime : 0;
    if (ahead > 1) context.currentTime += Math.min(0.5, ahead - 0.5);
    else await new Promise((resolve) => setTimeout(resolve));
    engine.tick();
  }
  return {starts: inputs.map((input) => input.starts), held, time: context.currentTime};
}
"""


def five(frames: int, **options: Any) -> list[WavStem]:
    return [WavStem(name=name, seed=seed, frames=frames, **options) for seed, name in enumerate(NAMES)]


@pytest.fixture(scope="module")
def two_hours() -> Iterator[Song]:
    with served(*five(2 * HOUR_S * RATE_HZ)) as running:
        yield running


@pytest.fixture
def opened_page(browser: Browser) -> Iterator[Window]:
    with window(browser) as opened:
        yield opened
        assert opened.complained() == []


def test_after_an_hour_the_stems_are_still_together(opened_page: Window) -> None:
    """Each stem's chunks follow each other without a frame between, and all stems' begin at the very same times."""
    with served(*five(2 * HOUR_S * SLOW_RATE_HZ, rate_hz=SLOW_RATE_HZ, channels=1)) as song:
        opened_page.page.goto(song.url)
        got = opened_page.page.evaluate(_SIMULATED, {"job": song.job(), "seconds": HOUR_S, "from": 0})
    assert got["time"] >= HOUR_S
    first, *others = got["starts"]
    assert len(first) > HOUR_S / 10
    assert all(each == first for each in others)
    frames = [(round(when * SLOW_RATE_HZ), count) for when, count in first]
    assert all(abs(when * SLOW_RATE_HZ - at) < 1e-8 for (when, _), (at, _) in zip(first, frames, strict=True))
    assert [b - a for (a, _), (b, _) in pairwise(frames)] == [count for _, count in frames[:-1]]


def test_an_hour_into_a_long_track_the_samples_are_the_right_ones(opened_page: Window, two_hours: Song) -> None:
    """Behind 600 MB of each file: to the sample."""
    opened_page.page.goto(two_hours.url)
    got = render(opened_page.page, two_hours.job(), seconds=4, **{"from": HOUR_S * RATE_HZ})
    assert got["spans"][0]["start"] == HOUR_S * RATE_HZ
    wanted = expected(two_hours.stems, got["spans"], 4 * RATE_HZ)
    assert float(np.abs(got["samples"] - wanted).max()) < 1e-6  # the sum of five in float32


def test_what_is_held_of_a_long_track_is_bounded(opened_page: Window, two_hours: Song) -> None:
    """Two minutes of five stems pass, and at no moment are more than some chunks of them held."""
    opened_page.page.goto(two_hours.url)
    told = {"job": two_hours.job(), "seconds": 120, "from": HOUR_S}
    got = opened_page.page.evaluate(_SIMULATED, told)
    assert got["time"] >= 120
    assert 0 < got["held"] < LIMIT_BYTES
    session = opened_page.page.context.new_cdp_session(opened_page.page)
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")
    assert heap["usedSize"] + heap.get("backingStorageSize", 0) < LIMIT_BYTES


def test_the_player_holds_little_while_it_plays_and_is_moved(opened_page: Window, two_hours: Song) -> None:
    """The page's own memory after it has played in several places; the first thing that is fetched is short."""
    page = opened_page.page
    two_hours.asked.clear()
    mount(page, two_hours)
    page.click(".player-play")
    session = page.context.new_cdp_session(page)
    for share in (0.2, 0.9, 0.5):
        page.wait_for_selector(".player-play[data-state=playing]")
        box = page.locator(".wave").first.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + share * box["width"], box["y"] + 5)
        page.wait_for_timeout(1200)
        page.wait_for_selector(".player-play[data-state=playing]")
        session.send("HeapProfiler.collectGarbage")
        heap = session.send("Runtime.getHeapUsage")
        assert heap["usedSize"] + heap.get("backingStorageSize", 0) < LIMIT_BYTES
    head, first, *_ = asked_parts(two_hours, "vocals")
    assert head[1] < 4096
    assert first[1] - first[0] < 1.0 * 4 * RATE_HZ
