import {fetchChunk} from "./chunk.js";
import {chunkSizes, planChunk} from "./chunk_plan.js";
import {Mixer} from "./mixer.js";
import {Timeline} from "./timeline.js";

const LEAD_S = 0.04; // between handing over and sounding
const KEPT_CHUNKS = 2; // of a short loop

/**
 * Plays stems on one clock: chunks of all stems are fetched some seconds ahead, and each is handed to the audio device
 * to begin at the same frame. Where a chunk is late all stems wait for it together.
 *
 * Events: `change` (what `state` and `loop` say has changed), `chunk` (`detail` is a chunk that was fetched), and
 * `failed` (`detail` is `{name, problem}`: a stem that can't be had, without which it goes on).
 */
export class Engine extends EventTarget {
  #stems;
  #names; // of all that were there at first: what was fetched of one that is gone by now still sounds
  #makeContext;
  #sizes;
  #gains;
  #context = null;
  #mixer = null;
  #timeline = new Timeline();
  #ready = []; // chunks that are fetched and not handed over
  #kept = new Map(); // chunks of a loop that is short enough to be held
  #placed = new Map(); // nodes and chunk by span
  #nextFrame = 0; // of what is fetched next; null once there is nothing more
  #number = 0; // of chunks since playback was moved
  #startFrame = 0; // where playback begins while nothing is handed over
  #fetching = null; // an AbortController
  #isPlaying = false;
  #ended = false;

  /**
   * `stems` are open stems by name, all of one rate. `gains` are their factors. `makeContext(rateHz)` gives an
   * AudioContext, at the first `play`: browsers want a gesture for it.
   */
  constructor({stems, gains, makeContext = (rateHz) => new AudioContext({sampleRate: rateHz}), sizes = null}) {
    super();
    this.#stems = {...stems};
    this.#names = Object.keys(stems);
    this.#gains = gains;
    this.#makeContext = makeContext;
    const all = Object.values(stems);
    this.rateHz = all[0].rateHz;
    this.frames = Math.max(...all.map((stem) => stem.frames));
    this.loop = null;
    this.#sizes = sizes ?? chunkSizes(all.length, Math.max(...all.map((stem) => stem.channels)), this.rateHz);
  }

  /** playing, waiting (for a chunk) or paused. */
  get state() {
    if (!this.#isPlaying) {
      return "paused";
    }
    return this.#context && this.#timeline.isSounding(this.#now()) ? "playing" : "waiting";
  }

  /** The frame that is heard now. */
  get frame() {
    if (!this.#context || this.#timeline.end === null) {
      return this.#startFrame;
    }
    const late = Math.round((this.#context.outputLatency || 0) * this.rateHz);
    return Math.min(this.frames, this.#timeline.frameAt(Math.max(0, this.#now() - late)));
  }

  /** Bytes of decoded samples that are held: fetched, handed over and not yet let go of. */
  get heldBytes() {
    const chunks = new Set([...this.#ready, ...this.#kept.values(), ...[...this.#placed.values()].map((p) => p.chunk)]);
    const whole = Object.values(this.#stems).reduce((sum, stem) => sum + (stem.heldBytes ?? 0), 0);
    return [...chunks].reduce((sum, chunk) => sum + chunk.bytes, whole);
  }

  /** The spans that are handed to the audio device, in frames. */
  get spans() {
    return this.#timeline.spans;
  }

  /** Fetch what comes first, so that it sounds as soon as it is wanted. */
  prepare() {
    this.#fetchMore();
  }

  async play() {
    if (this.#ended || this.frame >= this.frames) {
      this.seek(this.loop?.start ?? 0);
    }
    if (!this.#context) {
      this.#context = this.#makeContext(this.rateHz);
      this.#mixer = new Mixer(this.#context, this.#names, this.#gains);
    }
    this.#isPlaying = true;
    const resumed = this.#context.resume();
    this.tick();
    await resumed;
  }

  async pause() {
    this.#isPlaying = false;
    this.#tell();
    await this.#context?.suspend();
  }

  /** Move playback to a frame. */
  seek(frame) {
    this.#fetching?.abort();
    this.#fetching = null;
    this.#release(this.#timeline.spans, 0);
    this.#timeline.clear();
    this.#ready = [];
    this.#number = 0;
    this.#ended = false;
    this.#startFrame = Math.max(0, Math.min(this.frames, Math.round(frame)));
    this.#nextFrame = this.#startFrame;
    this.#fetchMore();
    this.#tell();
  }

  /** Repeat a span, `{start, end}` in frames; null for none. What sounds now goes on, where it may. */
  setLoop(loop) {
    this.loop = loop;
    this.#kept.clear();
    const frame = this.frame;
    const span = this.#context && this.#timeline.spans.find((each) => this.#now() < each.at + each.frames);
    if (!span || this.#ended || (loop && (frame < loop.start || frame >= loop.end))) {
      this.seek(loop && (frame < loop.start || frame >= loop.end) ? loop.start : frame);
      return;
    }
    this.#fetching?.abort();
    this.#fetching = null;
    this.#ready = [];
    const isCut = loop && loop.end < span.start + span.frames;
    const end = isCut ? span.at + loop.end - span.start : span.at + span.frames;
    this.#release(this.#timeline.cut(end), 0);
    if (isCut) {
      Mixer.stop(this.#placed.get(span).nodes, end, this.rateHz);
    }
    const reached = span.start + span.frames;
    this.#nextFrame = loop && reached === loop.end ? loop.start : reached;
    this.#fetchMore();
    this.#tell();
  }

  setGains(gains) {
    this.#gains = gains;
    this.#mixer?.setGains(gains);
  }

  /** To be called some times a second: frees what has sounded, hands over what is fetched, and fetches more. */
  tick() {
    if (this.#context && this.#isPlaying) {
      this.#release(this.#timeline.forgetBefore(this.#now()), null);
      this.#handOver();
      this.#endWhereOver();
    }
    this.#fetchMore();
    this.#tell();
  }

  async destroy() {
    this.#fetching?.abort();
    this.#isPlaying = false;
    this.#nextFrame = null;
    this.#release(this.#timeline.spans, 0);
    this.#timeline.clear();
    this.#ready = [];
    this.#kept.clear();
    await this.#context?.close();
    this.#context = null;
  }

  #now() {
    return Math.round(this.#context.currentTime * this.rateHz);
  }

  /** Frames that are fetched and have not sounded. */
  #ahead() {
    const waiting = this.#ready.reduce((sum, chunk) => sum + chunk.frames, 0);
    const end = this.#context ? this.#timeline.end : null;
    return waiting + (end === null ? 0 : Math.max(0, end - this.#now()));
  }

  async #fetchMore() {
    if (this.#fetching || this.#nextFrame === null || this.#ahead() > this.#sizes.longest) {
      return;
    }
    const plan = planChunk({
      frame: this.#nextFrame, number: this.#number, sizes: this.#sizes, total: this.frames, loop: this.loop,
    });
    if (!plan || !Object.keys(this.#stems).length) {
      this.#nextFrame = null;
      return;
    }
    const mine = new AbortController();
    this.#fetching = mine;
    try {
      const chunk = await this.#chunkOf(plan, mine.signal);
      mine.signal.throwIfAborted();
      this.#fetching = null;
      this.#take(chunk);
    } catch (error) {
      if (!mine.signal.aborted) {
        throw error;
      }
    }
  }

  async #chunkOf(plan, signal) {
    const key = `${plan.start}+${plan.frames}`;
    const chunk = this.#kept.get(key) ?? (await fetchChunk(this.#stems, plan, this.rateHz, signal));
    if (this.loop && this.loop.end - this.loop.start <= KEPT_CHUNKS * this.#sizes.longest && !signal.aborted) {
      this.#kept.set(key, chunk);
    }
    return chunk;
  }

  #take(chunk) {
    for (const [name, problem] of Object.entries(chunk.failed)) {
      delete this.#stems[name];
      this.dispatchEvent(new CustomEvent("failed", {detail: {name, problem}}));
    }
    this.#number += 1;
    this.#nextFrame = chunk.next;
    this.#ready.push(chunk);
    this.dispatchEvent(new CustomEvent("chunk", {detail: chunk}));
    this.tick();
  }

  #handOver() {
    for (const chunk of this.#ready) {
      const soonest = this.#now() + Math.ceil(LEAD_S * this.rateHz);
      const at = Math.max(this.#timeline.end ?? 0, soonest);
      const span = {start: chunk.start, frames: chunk.frames, at};
      this.#placed.set(span, {chunk, nodes: this.#mixer.place(chunk, at)});
      this.#timeline.add(span);
    }
    this.#ready = [];
  }

  /** Frees what the spans hold; those that may still sound are ended at the context's frame `at` first. */
  #release(spans, at) {
    for (const span of spans) {
      const placed = this.#placed.get(span);
      this.#placed.delete(span);
      if (placed && at !== null) {
        Mixer.stop(placed.nodes, at, this.rateHz);
      }
      Mixer.release(placed?.nodes ?? []);
    }
  }

  #endWhereOver() {
    const isFetched = this.#nextFrame === null && !this.#fetching && !this.#ready.length;
    if (isFetched && this.#now() >= (this.#timeline.end ?? 0)) {
      this.#ended = true;
      this.#startFrame = this.frames;
      this.#release(this.#timeline.spans, 0);
      this.#timeline.clear();
      this.pause();
    }
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
