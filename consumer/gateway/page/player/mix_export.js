import {interleave} from "./samples.js";
import {floatWavHeader} from "./wav_header.js";

const CHUNK_S = 5;

/**
 * The stems' sum at their `gains`, as a Blob of a WAVE file of float32 samples, which no loud sum can clip.
 *
 * Chunks are made one after the other and handed to the browser, which keeps them on disk where they are many: in the
 * page's memory there is never more than one. `onProgress` is told the share done, 0 to 1. Throws StemProblem, and the
 * signal's reason.
 */
export async function mixBlob({stems, gains, signal, onProgress = () => {}}) {
  const heard = Object.entries(stems).filter(([name]) => gains[name] > 0);
  const all = Object.values(stems);
  const frames = Math.max(...all.map((stem) => stem.frames));
  const channels = Math.max(...all.map((stem) => stem.channels));
  const rateHz = all[0].rateHz;
  const parts = [new Blob([floatWavHeader(channels, rateHz, frames)])];
  const size = CHUNK_S * rateHz;
  for (let start = 0; start < frames; start += size) {
    const sum = silence(channels, Math.min(size, frames - start));
    for (const [name, stem] of heard) {
      const part = silence(stem.channels, sum[0].length);
      await stem.fill(part, start, signal);
      signal?.throwIfAborted();
      add(sum, part, gains[name]);
    }
    parts.push(new Blob([interleave(sum)]));
    onProgress(Math.min(1, (start + size) / frames));
  }
  return new Blob(parts, {type: "audio/wav"});
}

/** Adds `part` x `gain` to `sum`, both with one Float32Array for each channel; one channel alone goes to all. */
export function add(sum, part, gain) {
  sum.forEach((channel, c) => {
    const samples = part[Math.min(c, part.length - 1)];
    for (let n = 0; n < channel.length; n += 1) {
      channel[n] += samples[n] * gain;
    }
  });
}

function silence(channels, frames) {
  return Array.from({length: channels}, () => new Float32Array(frames));
}
