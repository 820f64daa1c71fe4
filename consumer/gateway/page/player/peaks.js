import {peakOf} from "./samples.js";

const BINS = 8192;
const SPAN_FRAMES = 1024; // of an overview, which doubles it for as long as it has too many points

/** How loud a stem is, from its beginning to its end: first from its overview, then finer where it was fetched. */
export class Peaks {
  /** `overview` are the largest samples, 0 to 1, of equal spans; `frames` is the length of the stem. */
  constructor(overview, frames) {
    this.frames = Math.max(1, frames);
    this.bins = new Float32Array(Math.min(BINS, this.frames));
    let spanFrames = SPAN_FRAMES;
    while (overview.length && Math.ceil(this.frames / spanFrames) > overview.length) {
      spanFrames *= 2;
    }
    this.bins.forEach((_, bin) => {
      const at = Math.floor((bin + 0.5) * (this.frames / this.bins.length));
      this.bins[bin] = overview[Math.min(overview.length - 1, Math.floor(at / spanFrames))] ?? 0;
    });
  }

  /** Measure those bins that lie wholly in a chunk: `channels` from the frame `start` on. */
  refine(channels, start) {
    const perBin = this.frames / this.bins.length;
    const end = start + channels[0].length;
    const firstBin = Math.ceil(start / perBin);
    const lastBin = end >= this.frames ? this.bins.length : Math.floor(end / perBin);
    for (let bin = firstBin; bin < lastBin; bin += 1) {
      const from = Math.floor(bin * perBin) - start;
      const to = Math.min(channels[0].length, Math.floor((bin + 1) * perBin) - start);
      this.bins[bin] = peakOf(channels, Math.max(0, from), to);
    }
  }

  /** The largest sample of each of `count` equal columns. */
  columns(count) {
    const found = new Float32Array(count);
    for (let column = 0; column < count; column += 1) {
      const from = Math.floor((column * this.bins.length) / count);
      const to = Math.max(from + 1, Math.ceil(((column + 1) * this.bins.length) / count));
      for (let bin = from; bin < to; bin += 1) {
        found[column] = Math.max(found[column], this.bins[bin]);
      }
    }
    return found;
  }
}
