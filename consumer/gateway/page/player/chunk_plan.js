/** Which samples are fetched next: a short chunk first, so that something is heard soon, then ever longer ones. */

const FIRST_S = 0.75;
const LONGEST_S = 10;
const HELD_BYTES = 12 * 2 ** 20; // of one chunk of all stems, decoded: three of them are held at most
const SAMPLE_BYTES = 4;

/** The frames of the first chunk and of the longest, for `stems` of `channels` each. */
export function chunkSizes(stems, channels, rateHz) {
  const affordable = Math.floor(HELD_BYTES / (SAMPLE_BYTES * stems * channels));
  const longest = Math.max(1, Math.min(LONGEST_S * rateHz, affordable));
  return {first: Math.min(longest, Math.ceil(FIRST_S * rateHz)), longest};
}

/**
 * The chunk that begins at `frame`, as `{start, frames, next}`; null at the end.
 *
 * `number` counts the chunks since playback was moved, from 0. `loop` is `{start, end}` in frames or null; whoever is
 * before its end is led back to its start. `next` is where the chunk after this one begins.
 */
export function planChunk({frame, number, sizes, total, loop}) {
  const end = loop && frame < loop.end ? Math.min(loop.end, total) : total;
  if (frame >= end) {
    return null;
  }
  const size = Math.min(sizes.longest, sizes.first * 2 ** Math.min(number, 16));
  const frames = Math.min(size, end - frame);
  const next = loop && frame + frames === loop.end ? loop.start : frame + frames;
  return {start: frame, frames, next};
}
