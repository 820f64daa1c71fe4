/** Reads the head of a WAVE file: RIFF, or RF64 where it is longer than 4 GiB (EBU Tech 3306), plain or extensible. */

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const UNKNOWN_BYTES = 0xffffffff;
const KINDS = {"1/16": "s16", "1/24": "s24", "1/32": "s32", "3/32": "f32"};

/** What is no WAVE file, or one whose samples are of a kind that is not played. */
export class NotWav extends Error {}

/**
 * The format of a file's samples and where they lie.
 *
 * `bytes` are the first of the file, which has `sizeBytes`. Returns `{needBytes}` where more of them have to be read,
 * else `{kind, channels, rateHz, frameBytes, firstByte, frames}`. Throws NotWav.
 */
export function parseWavHeader(bytes, sizeBytes) {
  if (bytes.length < 12) {
    return more(12, bytes, sizeBytes);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const container = name(view, 0);
  if (!["RIFF", "RF64"].includes(container) || name(view, 8) !== "WAVE") {
    throw new NotWav("it does not begin as a WAVE file does");
  }
  let format = null;
  let longDataBytes = null;
  for (let at = 12; ; ) {
    if (at + 8 > bytes.length) {
      return more(at + 8, bytes, sizeBytes);
    }
    const chunk = name(view, at);
    const chunkBytes = view.getUint32(at + 4, true);
    if (chunk === "data") {
      return described(format, at + 8, longDataBytes ?? chunkBytes, sizeBytes);
    }
    const end = at + 8 + chunkBytes + (chunkBytes % 2);
    if (chunk === "fmt " || chunk === "ds64") {
      if (end > bytes.length) {
        return more(end, bytes, sizeBytes);
      }
      if (chunk === "fmt ") {
        format = formatOf(view, at + 8, chunkBytes);
      } else if (container === "RF64" && chunkBytes >= 16) {
        longDataBytes = Number(view.getBigUint64(at + 16, true));
      }
    }
    at = end;
  }
}

/** A head of a WAVE file of float32 samples, for `frames` of `channels`; RF64 where the file is too long for RIFF. */
export function floatWavHeader(channels, rateHz, frames) {
  const frameBytes = 4 * channels;
  const dataBytes = frames * frameBytes;
  const headBytes = 12 + 36 + 24 + 12 + 8;
  const isLong = headBytes - 8 + dataBytes > UNKNOWN_BYTES;
  const view = new DataView(new ArrayBuffer(headBytes));
  const text = (at, letters) => [...letters].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
  text(0, isLong ? "RF64" : "RIFF");
  view.setUint32(4, isLong ? UNKNOWN_BYTES : headBytes - 8 + dataBytes, true);
  text(8, "WAVE");
  text(12, isLong ? "ds64" : "JUNK");
  view.setUint32(16, 28, true);
  if (isLong) {
    [headBytes - 8 + dataBytes, dataBytes, frames].forEach((size, n) =>
      view.setBigUint64(20 + 8 * n, BigInt(size), true),
    );
  }
  text(48, "fmt ");
  view.setUint32(52, 16, true);
  view.setUint16(56, FLOAT, true);
  view.setUint16(58, channels, true);
  view.setUint32(60, rateHz, true);
  view.setUint32(64, rateHz * frameBytes, true);
  view.setUint16(68, frameBytes, true);
  view.setUint16(70, 32, true);
  text(72, "fact");
  view.setUint32(76, 4, true);
  view.setUint32(80, Math.min(frames, UNKNOWN_BYTES), true);
  text(84, "data");
  view.setUint32(88, isLong ? UNKNOWN_BYTES : dataBytes, true);
  return new Uint8Array(view.buffer);
}

function more(needBytes, bytes, sizeBytes) {
  if (needBytes > sizeBytes) {
    throw new NotWav("it ends before its samples");
  }
  return {needBytes};
}

function name(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((n) => view.getUint8(at + n)));
}

function formatOf(view, at, chunkBytes) {
  if (chunkBytes < 16) {
    throw new NotWav("its format is cut");
  }
  let tag = view.getUint16(at, true);
  if (tag === EXTENSIBLE && chunkBytes >= 40) {
    tag = view.getUint16(at + 24, true); // the first two bytes of the subformat's GUID
  }
  const channels = view.getUint16(at + 2, true);
  const rateHz = view.getUint32(at + 4, true);
  const frameBytes = view.getUint16(at + 12, true);
  const bits = view.getUint16(at + 14, true);
  const kind = KINDS[`${tag}/${bits}`];
  if (!kind || !channels || !rateHz || frameBytes !== (channels * bits) / 8) {
    throw new NotWav(`its samples are of a kind that is not played: ${tag}, ${bits} bits`);
  }
  return {kind, channels, rateHz, frameBytes};
}

function described(format, firstByte, dataBytes, sizeBytes) {
  if (!format) {
    throw new NotWav("its samples come before their format");
  }
  // A file that was cut, or whose writer did not know its length, holds what is there.
  const there = Math.max(0, Math.min(dataBytes, sizeBytes - firstByte));
  return {...format, firstByte, frames: Math.floor(there / format.frameBytes)};
}
