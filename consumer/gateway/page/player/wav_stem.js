import {decodeInto} from "./samples.js";
import {StemProblem} from "./stem_reader.js";
import {NotWav, parseWavHeader} from "./wav_header.js";

const FIRST_BYTES = 1024; // what our own files' heads take, tags and all, and then some

/** A stem in a WAVE file, read in parts. `frames`, `channels` and `rateHz` are the file's. */
export class WavStem {
  #reader;
  #format;

  constructor(reader, format) {
    this.#reader = reader;
    this.#format = format;
    this.frames = format.frames;
    this.channels = format.channels;
    this.rateHz = format.rateHz;
  }

  /** Fills one Float32Array for each channel with the frames from `start` on; what lies behind the end stays as it is. */
  async fill(channels, start, signal) {
    const {firstByte, frameBytes, kind} = this.#format;
    const frames = Math.min(channels[0].length, this.frames - start);
    if (frames > 0) {
      const bytes = await this.#reader.read(firstByte + start * frameBytes, frames * frameBytes, signal);
      decodeInto(channels, bytes, kind);
    }
  }
}

/** Reads the head of the file. Throws StemProblem. */
export async function openWav(reader, signal) {
  let bytes = await reader.read(0, FIRST_BYTES, signal);
  try {
    for (;;) {
      const found = parseWavHeader(bytes, reader.sizeBytes);
      if (!found.needBytes) {
        return new WavStem(reader, found);
      }
      bytes = await reader.read(0, Math.max(found.needBytes + 64, 2 * bytes.length), signal);
    }
  } catch (error) {
    throw error instanceof NotWav ? new StemProblem("unreadable", error.message) : error;
  }
}
