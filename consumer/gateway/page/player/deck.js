import {channelsOf} from "./chunk.js";
import {Engine} from "./engine.js";

const TICK_MS = 100;
const SEEK_MS = 90; // held keys and strokes move on before anything is fetched
const SHORTEST_LOOP_S = 0.5;

/** An engine with its display: moves the playhead, keeps the loop's marks, and beats the engine's time. */
export class Deck {
  #engine;
  #bar;
  #root;
  #timer;
  #frameRequest = 0;
  #pending = null; // seconds that playback is being moved to
  #pendingTimer = 0;
  #marks = {start: null, end: null}; // seconds
  #isLooping = false;
  #on;

  /** `root` gets the custom properties --position, --loop-start and --loop-end, shares from 0 to 1. */
  constructor({stems, gains, bar, root, on}) {
    this.stems = stems;
    this.#bar = bar;
    this.#root = root;
    this.#on = on;
    this.#engine = new Engine({stems, gains});
    this.durationS = this.#engine.frames / this.#engine.rateHz;
    this.#engine.addEventListener("change", () => this.#showState());
    this.#engine.addEventListener("chunk", ({detail}) => this.#tellChunk(detail));
    this.#engine.addEventListener("failed", ({detail}) => on.failed(detail.name, detail.problem));
    this.#timer = setInterval(() => this.#engine.tick(), TICK_MS);
    this.#engine.prepare();
    this.#draw();
  }

  /** Where it is, in seconds; while it is being moved, where to. */
  get seconds() {
    return this.#pending ?? this.#engine.frame / this.#engine.rateHz;
  }

  toggle() {
    this.#arrive();
    return this.#engine.state === "paused" ? this.#engine.play() : this.#engine.pause();
  }

  seekTo(seconds) {
    this.#pending = Math.max(0, Math.min(this.durationS, seconds));
    clearTimeout(this.#pendingTimer);
    this.#pendingTimer = setTimeout(() => this.#arrive(), SEEK_MS);
    this.#draw();
  }

  setGains(gains) {
    this.#engine.setGains(gains);
  }

  /** Sets one end of the loop where it is now; with both ends it begins. `which` is start or end. */
  markLoop(which) {
    this.#marks[which] = this.seconds;
    const other = which === "start" ? "end" : "start";
    if (this.#marks[other] !== null && this.#marks.end - this.#marks.start < SHORTEST_LOOP_S) {
      this.#marks[other] = null;
    }
    this.#isLooping = this.#marks.start !== null && this.#marks.end !== null;
    this.#applyLoop();
  }

  /** Loops a span between two shares of the track, 0 to 1. */
  loopShares(from, to) {
    const start = Math.min(from * this.durationS, Math.max(0, this.durationS - SHORTEST_LOOP_S));
    this.#marks = {start, end: Math.min(this.durationS, Math.max(to * this.durationS, start + SHORTEST_LOOP_S))};
    this.#isLooping = true;
    this.#applyLoop();
  }

  /** Repeats the marked span, or, where none is marked, all; pressed again, neither. */
  toggleLoop() {
    this.#isLooping = !this.#isLooping;
    this.#applyLoop();
  }

  destroy() {
    clearInterval(this.#timer);
    clearTimeout(this.#pendingTimer);
    cancelAnimationFrame(this.#frameRequest);
    this.#engine.destroy();
  }

  /** Ends a move that is under way where it leads to: what is done next is done there. */
  #arrive() {
    clearTimeout(this.#pendingTimer);
    if (this.#pending !== null) {
      const frame = Math.round(this.#pending * this.#engine.rateHz);
      this.#pending = null;
      this.#engine.seek(frame);
    }
  }

  #applyLoop() {
    this.#arrive();
    const start = this.#marks.start ?? 0;
    const end = this.#marks.end ?? this.durationS;
    const isMarked = this.#marks.start !== null || this.#marks.end !== null;
    const rate = this.#engine.rateHz;
    const frames = {start: Math.round(start * rate), end: Math.min(this.#engine.frames, Math.round(end * rate))};
    const isOn = this.#isLooping && frames.end > frames.start;
    this.#engine.setLoop(isOn ? frames : null);
    this.#bar.showLoop(isMarked ? {startS: start, endS: end} : null, isOn);
    this.#root.style.setProperty("--loop-start", isMarked ? start / this.durationS : 0);
    this.#root.style.setProperty("--loop-end", isMarked ? end / this.durationS : 0);
    this.#root.classList.toggle("is-looping", isOn);
  }

  #showState() {
    const state = this.#engine.state;
    this.#bar.showState(state);
    this.#on.state(state);
    this.#draw();
  }

  #draw() {
    cancelAnimationFrame(this.#frameRequest);
    this.#frameRequest = requestAnimationFrame(() => {
      this.#root.style.setProperty("--position", this.seconds / this.durationS);
      this.#bar.showTime(this.seconds);
      if (this.#engine.state !== "paused") {
        this.#draw();
      }
    });
  }

  #tellChunk(chunk) {
    const channels = Object.fromEntries(
      Object.entries(chunk.buffers).map(([name, buffer]) => [name, channelsOf(buffer)]),
    );
    this.#on.chunk({start: chunk.start, channels});
  }
}
