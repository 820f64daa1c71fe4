import {openWav} from "./wav_stem.js";
import {fitsWhole, longestWholeMinutes, openWhole} from "./whole_stem.js";
import {StemProblem, StemReader} from "./stem_reader.js";

const RATE_HZ = {opus: 48000}; // what the format knows, if it is not the usual one
const USUAL_RATE_HZ = 44100;

/** How a job's stems can be played: `{format, isWhole, rateHz, fits, longestMinutes}`. */
export function playability(stems) {
  const format = stems[0].key.split(".").at(-1).toLowerCase();
  const isWhole = format !== "wav";
  const rateHz = RATE_HZ[format] ?? USUAL_RATE_HZ;
  const seconds = Math.max(...stems.map((stem) => stem.duration_s));
  return {
    format,
    isWhole,
    rateHz,
    fits: !isWhole || fitsWhole(seconds, stems.length, rateHz),
    longestMinutes: longestWholeMinutes(stems.length, rateHz),
  };
}

/** What reads each stem's file, by name. `onTrouble(name, problem)` is told what is tried again, null once it works. */
export function makeReaders({api, job, onTrouble}) {
  return Object.fromEntries(
    job.result.stems.map((stem) => [
      stem.name,
      new StemReader({api, jobId: job.id, stem, onTrouble: (problem) => onTrouble(stem.name, problem)}),
    ]),
  );
}

/**
 * Opens all stems, as `{stems, failed}`: by name what can be played, and a StemProblem for each that can't.
 *
 * Stems in WAVE files are read as they are played; others are fetched and decoded here. Throws the signal's reason.
 */
export async function openStems({readers, how, signal}) {
  const stems = {};
  const failed = {};
  await Promise.all(
    Object.entries(readers).map(async ([name, reader]) => {
      try {
        stems[name] = how.isWhole ? await openWhole(reader, how.rateHz, signal) : await openWav(reader, signal);
      } catch (error) {
        if (!(error instanceof StemProblem)) {
          throw error;
        }
        failed[name] = error;
      }
    }),
  );
  const rateHz = Object.values(stems)[0]?.rateHz;
  for (const [name, stem] of Object.entries(stems)) {
    if (stem.rateHz !== rateHz) {
      delete stems[name];
      failed[name] = new StemProblem("unreadable", "it has another rate than the others");
    }
  }
  // In the model's own order, whoever came first.
  const order = Object.keys(readers).filter((name) => stems[name]);
  return {stems: Object.fromEntries(order.map((name) => [name, stems[name]])), failed};
}
