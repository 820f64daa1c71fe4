/** Between the bytes of a WAVE file and samples, float32 from -1 to 1. */

const READERS = {
  s16: (view, at) => view.getInt16(at, true) / 0x8000,
  s24: (view, at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 0x800000,
  s32: (view, at) => view.getInt32(at, true) / 0x80000000,
  f32: (view, at) => view.getFloat32(at, true),
};
const SAMPLE_BYTES = {s16: 2, s24: 3, s32: 4, f32: 4};
const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Writes interleaved samples into one Float32Array for each channel, from their beginning.
 *
 * `kind` is one of s16, s24, s32 and f32, little-endian. `bytes` holds whole frames.
 */
export function decodeInto(channels, bytes, kind) {
  const count = channels.length;
  const frames = bytes.length / (SAMPLE_BYTES[kind] * count);
  const packed = asArray(bytes, kind);
  if (packed) {
    const scale = kind === "s16" ? 1 / 0x8000 : 1; // a power of two: exact
    channels.forEach((channel, c) => {
      for (let n = 0, at = c; n < frames; n += 1, at += count) {
        channel[n] = packed[at] * scale;
      }
    });
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READERS[kind];
  const step = SAMPLE_BYTES[kind];
  for (let n = 0, at = 0; n < frames; n += 1) {
    for (let c = 0; c < count; c += 1, at += step) {
      channels[c][n] = read(view, at);
    }
  }
}

/** The bytes of float32 samples, little-endian and interleaved, of one Float32Array for each channel. */
export function interleave(channels) {
  const frames = channels[0].length;
  if (!IS_LITTLE_ENDIAN) {
    return interleaveSlowly(channels, frames);
  }
  const joined = new Float32Array(frames * channels.length);
  channels.forEach((channel, c) => {
    for (let n = 0, at = c; n < frames; n += 1, at += channels.length) {
      joined[at] = channel[n];
    }
  });
  return new Uint8Array(joined.buffer);
}

/** The largest absolute sample from `from` to before `to`, of all channels. */
export function peakOf(channels, from, to) {
  let peak = 0;
  for (const channel of channels) {
    for (let n = from; n < to; n += 1) {
      const level = Math.abs(channel[n]);
      if (level > peak) {
        peak = level;
      }
    }
  }
  return peak;
}

/** The bytes as an array of the processor's own numbers, where it has such; else null. */
function asArray(bytes, kind) {
  const Type = {s16: Int16Array, f32: Float32Array}[kind];
  if (!Type || !IS_LITTLE_ENDIAN || bytes.byteOffset % Type.BYTES_PER_ELEMENT) {
    return null;
  }
  return new Type(bytes.buffer, bytes.byteOffset, bytes.byteLength / Type.BYTES_PER_ELEMENT);
}

function interleaveSlowly(channels, frames) {
  const view = new DataView(new ArrayBuffer(4 * frames * channels.length));
  channels.forEach((channel, c) =>
    channel.forEach((sample, n) => view.setFloat32(4 * (n * channels.length + c), sample, true)),
  );
  return new Uint8Array(view.buffer);
}
