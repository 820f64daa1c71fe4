import {StemProblem} from "./stem_reader.js";

const SAMPLE_BYTES = 4;

/**
 * Fetches one span of all stems together, as `{start, frames, next, buffers, bytes, failed}`.
 *
 * `stems` are those that are open, by name; `plan` is of planChunk. `buffers` are AudioBuffers by name, all as long.
 * `failed` holds a StemProblem for each stem that can't be had; the others are whole.
 */
export async function fetchChunk(stems, plan, rateHz, signal) {
  const buffers = {};
  const failed = {};
  await Promise.all(
    Object.entries(stems).map(async ([name, stem]) => {
      const buffer = new AudioBuffer({length: plan.frames, numberOfChannels: stem.channels, sampleRate: rateHz});
      try {
        await stem.fill(channelsOf(buffer), plan.start, signal);
        buffers[name] = buffer;
      } catch (error) {
        if (!(error instanceof StemProblem)) {
          throw error;
        }
        failed[name] = error;
      }
    }),
  );
  const bytes = Object.values(buffers).reduce(
    (sum, buffer) => sum + SAMPLE_BYTES * buffer.length * buffer.numberOfChannels,
    0,
  );
  return {...plan, buffers, bytes, failed};
}

/** One Float32Array for each channel; what is written there sounds. */
export function channelsOf(buffer) {
  return Array.from({length: buffer.numberOfChannels}, (_, channel) => buffer.getChannelData(channel));
}
