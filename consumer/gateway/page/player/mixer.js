const FADE_S = 0.008; // a step in loudness clicks

/**
 * The audio graph: for each stem a gain, and behind them the way out. Works in an AudioContext and in an
 * OfflineAudioContext alike.
 */
export class Mixer {
  #context;
  #gains = {};

  /** `names` are the stems'; `gains` their factors at the beginning. */
  constructor(context, names, gains) {
    this.#context = context;
    for (const name of names) {
      const gain = context.createGain();
      gain.gain.value = gains[name];
      gain.connect(context.destination);
      this.#gains[name] = gain;
    }
  }

  /** Sets the stems' factors, softly. */
  setGains(gains) {
    const now = this.#context.currentTime;
    for (const [name, node] of Object.entries(this.#gains)) {
      node.gain.cancelScheduledValues(now);
      node.gain.setTargetAtTime(gains[name], now, FADE_S);
    }
  }

  /** Has all stems of a chunk begin at the context's frame `at`, the same for all. Returns the nodes that sound. */
  place(chunk, at) {
    const when = timeOfFrame(at, this.#context.sampleRate);
    return Object.entries(chunk.buffers).map(([name, buffer]) => {
      const node = this.#context.createBufferSource();
      node.buffer = buffer;
      node.connect(this.#gains[name]);
      node.start(when);
      return node;
    });
  }

  /** Has the nodes end at the context's frame `at`, or at once where that is past. */
  static stop(nodes, at, rateHz) {
    for (const node of nodes) {
      node.stop(timeOfFrame(at, rateHz));
    }
  }

  /** Lets go of nodes, so that their samples are freed. */
  static release(nodes) {
    for (const node of nodes) {
      node.disconnect();
      node.buffer = null;
    }
  }
}

/**
 * The time of a frame, in seconds. Where there is one of which time x rate is that frame in the processor's own
 * arithmetic, it is that one: of others a browser may think that they lie between two samples.
 */
export function timeOfFrame(frame, rateHz) {
  const time = frame / rateHz;
  if (time * rateHz === frame) {
    return time;
  }
  const step = 2 ** (Math.floor(Math.log2(time)) - 52);
  return [time - step, time + step].find((near) => near * rateHz === frame) ?? time;
}
