import {el} from "../dom.js";
import {Deck} from "./deck.js";
import {ShortcutHelp} from "./help.js";
import {gainsOf} from "./levels.js";
import {makeReaders, openStems, playability} from "./open_stems.js";
import {Peaks} from "./peaks.js";
import {Saver} from "./saver.js";
import {listenToKeys} from "./shortcuts.js";
import {StemRow} from "./stem_row.js";
import {TransportBar} from "./transport_bar.js";
import {problemWords, stemTitle} from "./words.js";

const STEP_S = 5;
const VOLUME_STEP = 5;
const LEAST_SCALE = 0.02; // noise stays noise

/**
 * Shows the stems of a job that has succeeded, and plays them. `job` is the JSON of GET /v1/separations/{id}.
 *
 * Returns `{destroy()}`, after which nothing sounds and nothing is held.
 */
export function mountPlayer(element, {api, job, text}) {
  const view = new PlayerView({api, job, text});
  element.append(view.element);
  view.start();
  return {destroy: () => view.destroy()};
}

class PlayerView {
  #api;
  #job;
  #text;
  #stems;
  #how;
  #readers;
  #opening = null;
  #deck = null;
  #levels;
  #rows;
  #peaks = {};
  #chosen = 0;
  #ending = new AbortController();
  #status;
  #bar;
  #help;
  #saver;

  constructor({api, job, text}) {
    this.#api = api;
    this.#job = job;
    this.#text = text;
    this.#stems = job.result.stems;
    this.#how = playability(this.#stems);
    this.#readers = makeReaders({api, job, onTrouble: (name, problem) => this.#trouble(name, problem)});
    this.#levels = Object.fromEntries(
      this.#stems.map((stem) => [stem.name, {percent: 100, isMuted: false, isSolo: false}]),
    );
    this.#build();
  }

  async start() {
    this.#showLevels();
    this.#choose(0);
    listenToKeys({actions: this.#actions(), isOn: () => this.#help.isOn, signal: this.#ending.signal});
    this.#drawOverviews();
    if (!this.#how.fits) {
      const told = {format: this.#how.format, minutes: this.#how.longestMinutes};
      this.#status.textContent = this.#text("player.tooLong", told);
      this.#bar.element.hidden = true;
    } else if (!this.#how.isWhole) {
      await this.#open().catch(() => {}); // said by then; heads alone, so that the first sound comes at once
    }
  }

  destroy() {
    this.#ending.abort();
    this.#saver.destroy();
    this.#deck?.destroy();
    Object.values(this.#rows).forEach((row) => row.waveform.destroy());
    this.element.remove();
  }

  #build() {
    const text = this.#text;
    const durationS = Math.max(...this.#stems.map((stem) => stem.duration_s));
    this.#bar = new TransportBar({
      text, durationS,
      on: {
        toggle: () => this.#toggle(),
        seek: (seconds) => this.#withDeck((deck) => deck.seekTo(seconds)),
        loopStart: () => this.#withDeck((deck) => deck.markLoop("start")),
        loopEnd: () => this.#withDeck((deck) => deck.markLoop("end")),
        loop: () => this.#withDeck((deck) => deck.toggleLoop()),
      },
    });
    this.#rows = Object.fromEntries(this.#stems.map((stem, number) => [stem.name, this.#row(stem, number)]));
    this.#status = el("p", {class: "player-status", role: "status"});
    this.#help = new ShortcutHelp(text);
    const say = (words) => {
      this.#status.textContent = words;
    };
    this.#saver = new Saver({api: this.#api, job: this.#job, readers: this.#readers, text, say});
    this.element = el(
      "section",
      {class: "player", "aria-label": text("player.title")},
      el("h2", {}, text("player.heading")),
      this.#bar.element,
      this.#status,
      el("ul", {class: "stems"}, Object.values(this.#rows).map((row) => row.element)),
      this.#saver.buttons(() => this.#mix()),
      this.#help.element,
    );
  }

  #row(stem, number) {
    return new StemRow({
      name: stem.name, title: stemTitle(stem.name, this.#text), text: this.#text,
      on: {
        mute: () => this.#change(stem.name, (level) => ({isMuted: !level.isMuted})),
        solo: () => this.#change(stem.name, (level) => ({isSolo: !level.isSolo})),
        volume: (percent) => this.#change(stem.name, () => ({percent})),
        download: () => this.#saveStem(stem),
        choose: () => this.#choose(number),
        seek: (share) => this.#withDeck((deck) => deck.seekTo(share * deck.durationS)),
        span: (from, to) => this.#withDeck((deck) => deck.loopShares(from, to)),
      },
    });
  }

  #actions() {
    const chosen = () => this.#stems[this.#chosen];
    const volume = (by) => () =>
      this.#change(chosen().name, (level) => ({percent: Math.max(0, Math.min(100, level.percent + by))}));
    const at = (seconds) => () => this.#withDeck((deck) => deck.seekTo(deck.seconds + seconds));
    return {
      toggle: () => this.#toggle(),
      back: at(-STEP_S),
      forward: at(STEP_S),
      home: () => this.#withDeck((deck) => deck.seekTo(0)),
      loopStart: () => this.#withDeck((deck) => deck.markLoop("start")),
      loopEnd: () => this.#withDeck((deck) => deck.markLoop("end")),
      loop: () => this.#withDeck((deck) => deck.toggleLoop()),
      previous: () => this.#choose((this.#chosen + this.#stems.length - 1) % this.#stems.length),
      next: () => this.#choose((this.#chosen + 1) % this.#stems.length),
      choose: (number) => this.#choose(Math.min(number, this.#stems.length - 1)),
      mute: () => this.#change(chosen().name, (level) => ({isMuted: !level.isMuted})),
      solo: () => this.#change(chosen().name, (level) => ({isSolo: !level.isSolo})),
      louder: volume(VOLUME_STEP),
      quieter: volume(-VOLUME_STEP),
      download: () => this.#saveStem(chosen()),
      archive: () => this.#saver.saveArchive(),
      mix: () => this.#saver.saveMix(() => this.#mix()),
      help: () => this.#help.toggle(),
    };
  }

  /** Opens the stems once; those that can't be had are said. */
  #open() {
    this.#opening ??= this.#openNow().catch((error) => {
      this.#opening = null; // may be tried again
      throw error;
    });
    return this.#opening;
  }

  async #openNow() {
    if (this.#how.isWhole) {
      this.#status.textContent = this.#text("player.decoding");
    }
    const {stems, failed} = await openStems({readers: this.#readers, how: this.#how, signal: this.#ending.signal});
    Object.entries(failed).forEach(([name, problem]) => this.#fail(name, problem));
    this.#status.textContent = "";
    if (!Object.keys(stems).length) {
      this.#status.textContent = this.#text("player.nothing");
      throw new Error("no stem can be had");
    }
    this.#deck = new Deck({
      stems, gains: gainsOf(this.#levels), bar: this.#bar, root: this.element,
      on: {
        chunk: (chunk) => this.#refine(chunk),
        failed: (name, problem) => this.#fail(name, problem),
        state: (state) => this.#showState(state),
      },
    });
  }

  /** Does something with the deck, now or once the stems are open. */
  async #withDeck(act) {
    try {
      await this.#open();
    } catch {
      return; // said already
    }
    act(this.#deck);
  }

  #toggle() {
    return this.#withDeck((deck) => deck.toggle());
  }

  #change(name, changed) {
    this.#levels[name] = {...this.#levels[name], ...changed(this.#levels[name])};
    this.#showLevels();
    this.#deck?.setGains(gainsOf(this.#levels));
  }

  #showLevels() {
    const gains = gainsOf(this.#levels);
    Object.entries(this.#rows).forEach(([name, row]) => row.show(this.#levels[name], gains[name]));
  }

  #choose(number) {
    this.#chosen = number;
    Object.values(this.#rows).forEach((row, n) => row.markChosen(n === number));
  }

  async #drawOverviews() {
    const told = await this.#api
      .json("GET", `/v1/separations/${encodeURIComponent(this.#job.id)}/waveform`, {signal: this.#ending.signal})
      .catch(() => ({stems: {}})); // they get their shape as they are fetched
    // One scale for all, so that a quiet stem looks quiet, and a quiet song can be seen.
    const highest = Math.max(LEAST_SCALE, ...this.#stems.map((stem) => stem.peak ?? 1));
    for (const stem of this.#stems) {
      const frames = Math.round(stem.duration_s * this.#how.rateHz);
      this.#peaks[stem.name] = new Peaks(told.stems[stem.name] ?? [], frames);
      this.#rows[stem.name].waveform.show(this.#peaks[stem.name], highest);
    }
  }

  #refine(chunk) {
    for (const [name, channels] of Object.entries(chunk.channels)) {
      this.#peaks[name]?.refine(channels, chunk.start);
      this.#rows[name].waveform.draw();
    }
  }

  #showState(state) {
    const isTroubled = this.element.querySelector(".is-troubled");
    this.#status.textContent = state === "waiting" && !isTroubled ? this.#text("player.waiting") : "";
  }

  #trouble(name, problem) {
    this.#rows[name].note(problem ? this.#text("player.retrying") : "");
  }

  #fail(name, problem) {
    this.#rows[name].note(problemWords(problem, this.#text));
  }

  #saveStem(stem) {
    return this.#saver.saveStem(stem.name, `${stem.name}.${this.#how.format}`);
  }

  /** What is mixed: the open stems and their gains as they are now. */
  async #mix() {
    await this.#open();
    return {stems: this.#deck.stems, gains: gainsOf(this.#levels)};
  }
}
