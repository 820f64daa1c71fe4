"""The player's own code in a page: its modules one by one, its engine in an offline audio graph, and the whole view."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from tests.browser.song_server import JOB, Song, WavStem

# Renders what the engine plays, by the code that plays it: the context is an OfflineAudioContext, and the engine's time
# beats whenever the rendering has come that far. At `actAt` seconds the method `act` of the engine is called with
# `value`. From the first chunk up to `lateUntil` nothing is waited for; then the icon is fetched, which may end a
# delay.
_RENDER = """
async ({job, names, seconds, channels, sizes, from, loop, gains, actAt, act, value, lateUntil, key}) => {
  const {Engine} = await import('/page/player/engine.js');
  const {openStems, makeReaders, playability} = await import('/page/player/open_stems.js');
  const {Api} = await import('/page/api.js');
  const api = new Api({key});
  const readers = makeReaders({api, job, onTrouble: () => {}});
  const {stems} = await openStems({readers, how: playability(job.result.stems)});
  const rate = Object.values(stems)[0].rateHz;
  const offline = new OfflineAudioContext(channels, Math.round(seconds * rate), rate);
  const context = {
    sampleRate: rate, outputLatency: 0, destination: offline.destination,
    get currentTime() { return offline.currentTime; },
    createGain: () => offline.createGain(), createBufferSource: () => offline.createBufferSource(),
    resume: async () => {}, suspend: async () => {}, close: async () => {},
  };
  const given = gains ?? Object.fromEntries(names.map((name) => [name, 1]));
  const engine = new Engine({stems, gains: given, sizes, makeContext: () => context});
  const spans = new Map();
  let held = 0;
  const look = () => {
    held = Math.max(held, engine.heldBytes);
    for (const span of engine.spans) spans.set(span.at, {...span});
  };
  const until = performance.now() + 30000;
  const came = async () => {
    if (performance.now() > until) throw new Error(`stuck at ${offline.currentTime}: ${engine.state}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  };
  let trouble = null;
  const isReady = () => {
    const last = engine.spans.at(-1);
    if (!last || engine.state === 'paused') return engine.state === 'paused';
    const isAtEnd = !engine.loop && last.start + last.frames >= engine.frames;
    return isAtEnd || last.at + last.frames > offline.currentTime * rate + 0.3 * rate;
  };
  engine.addEventListener('change', look);
  if (loop) engine.setLoop(loop);
  engine.seek(from);
  await engine.play();
  while (lateUntil ? !engine.spans.length : !isReady()) await came();
  const beat = 0.1;
  for (let at = beat; at < seconds - beat; at += beat) {
    offline.suspend(at).then(async () => {
      if (act && Math.abs(at - actAt) < beat / 2) engine[act](value);
      engine.tick();
      if (lateUntil && Math.abs(at - lateUntil) < beat / 2) await fetch('/page/icon.svg');
      if (at > lateUntil - beat / 2) while (!isReady()) { await came(); engine.tick(); }
      look();
    }).catch((error) => { trouble = error; }).finally(() => offline.resume());
  }
  const rendered = await offline.startRendering();
  if (trouble) throw trouble;
  const text = (samples) => {
    const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    let out = '';
    for (let at = 0; at < bytes.length; at += 32768) out += String.fromCharCode(...bytes.subarray(at, at + 32768));
    return btoa(out);
  };
  const samples = Array.from({length: channels}, (_, c) => text(rendered.getChannelData(c)));
  const played = [...spans.values()].sort((a, b) => a.at - b.at);
  return {samples, spans: played, held, state: engine.state, frame: engine.frame};
}
"""
_MOUNT = """
async ([job, language]) => {
  const {mountPlayer} = await import('/page/player/player_view.js');
  const {makeText} = await import('/page/texts.js');
  const {Api} = await import('/page/api.js');
  const place = document.getElementById('player');
  window.player = mountPlayer(place, {api: new Api({key: 'the-key'}), job, text: makeText(language)});
}
"""


def render(page: Page, job: Mapping[str, Any], *, seconds: float, channels: int = 2, **options: Any) -> dict[str, Any]:
    """What the engine plays of a job in so many seconds, from the frame `from` on.

    samples: float32 (frames, channels). spans: what was played, in frames: start, frames, at. held: the most bytes.
    """
    names = [stem["name"] for stem in job["result"]["stems"]]
    asked = {
        "job": job, "names": names, "seconds": seconds, "channels": channels, "sizes": None, "from": 0, "loop": None,
        "gains": None, "actAt": 0, "act": None, "value": None, "lateUntil": 0, "key": "k",
    }  # fmt: skip
    got: dict[str, Any] = page.evaluate(_RENDER, asked | options)
    columns = [np.frombuffer(base64.b64decode(each), "<f4") for each in got["samples"]]
    return {**got, "samples": np.stack(columns, axis=1)}


def expected(stems: Mapping[str, WavStem], spans: list[dict[str, int]], frames: int) -> NDArray[np.float32]:
    """float32 (frames, channels): the stems' sum as these spans have it, and silence elsewhere."""
    first = next(iter(stems.values()))
    made = np.zeros((frames, first.channels), np.float32)
    for span in spans:
        count = min(span["frames"], frames - span["at"])
        if count > 0:
            parts = [stem.samples(span["start"], count).astype(np.float32) / 32768 for stem in stems.values()]
            made[span["at"] : span["at"] + count] = np.sum(parts, axis=0)
    return made


def mount(page: Page, song: Song, language: str = "en") -> None:
    """Opens the song's page and puts the player into it."""
    page.goto(song.url)
    page.evaluate(_MOUNT, [song.job(), language])


def asked_parts(song: Song, name: str) -> list[tuple[int, int]]:
    """The first and the last byte of each part of a stem that was asked for."""
    path = f"/v1/separations/{JOB}/stems/{name}"
    parts = [range_.removeprefix("bytes=").split("-") for asked, range_ in song.asked if asked == path and range_]
    return [(int(first), int(last)) for first, last in parts]
