import {StemProblem} from "./stem_reader.js";

/** Decoded bytes that all stems of a job may take where they have to be decoded whole. */
export const WHOLE_BYTES = 2 ** 30;
const SAMPLE_BYTES = 4;

/** Whether stems that are decoded whole fit: `seconds` long, `count` of them, at `rateHz` in two channels. */
export function fitsWhole(seconds, count, rateHz) {
  return seconds * rateHz * 2 * SAMPLE_BYTES * count <= WHOLE_BYTES;
}

/** The longest track, in whole minutes, whose `count` stems fit. */
export function longestWholeMinutes(count, rateHz) {
  return Math.floor(WHOLE_BYTES / (rateHz * 2 * SAMPLE_BYTES * count * 60));
}

/** A compressed stem, decoded by the browser once and kept. */
export class WholeStem {
  #buffer;

  constructor(buffer) {
    this.#buffer = buffer;
    this.frames = buffer.length;
    this.channels = buffer.numberOfChannels;
    this.rateHz = buffer.sampleRate;
    this.heldBytes = SAMPLE_BYTES * buffer.length * buffer.numberOfChannels;
  }

  /** Fills one Float32Array for each channel with the frames from `start` on; what lies behind the end stays as it is. */
  async fill(channels, start) {
    channels.forEach((channel, c) => this.#buffer.copyFromChannel(channel, c, Math.min(start, this.frames)));
  }
}

/** Fetches and decodes all of the file, at `rateHz`. Throws StemProblem where the browser can't. */
export async function openWhole(reader, rateHz, signal) {
  const bytes = await reader.read(0, reader.sizeBytes, signal);
  try {
    const decoder = new OfflineAudioContext({numberOfChannels: 1, length: 1, sampleRate: rateHz});
    return new WholeStem(await decoder.decodeAudioData(bytes.buffer));
  } catch (error) {
    throw new StemProblem("unreadable", error.message);
  }
}
