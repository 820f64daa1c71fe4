/** A job, in words. */

const LONGEST_NAME = 120; // of what somebody wrote into a job

/** What a job is called: the file's name, where it was told; else the object's, else its id. */
export function jobName(job) {
  const key = job.request?.source?.key ?? job.result?.source?.key ?? job.error?.request?.source?.key;
  const name = job.metadata?.file || (key && !key.startsWith("uploads/") && key.split("/").pop()) || job.id.slice(0, 12);
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name;
}

/** A number of seconds as people say it, such as "2 minutes". @param {number} seconds */
export function duration(seconds, text) {
  const unit = unitOf(seconds);
  return formatIn(unit, text).format(rounded(seconds, unit));
}

/** The same for a range, such as "4–17 seconds"; "" where both ends are said alike. */
export function durationRange(lowS, highS, text) {
  const unit = unitOf(highS);
  const [low, high] = [rounded(lowS, unit), rounded(highS, unit)];
  return low === high ? "" : formatIn(unit, text).formatRange(low, high);
}

const UNIT_S = {second: 1, minute: 60, hour: 3600};

function unitOf(seconds) {
  return seconds < 90 ? "second" : seconds < 5400 ? "minute" : "hour";
}

function rounded(seconds, unit) {
  const value = seconds / UNIT_S[unit];
  return unit === "hour" ? Math.round(value * 10) / 10 : Math.max(1, Math.round(value));
}

function formatIn(unit, text) {
  return new Intl.NumberFormat(text.language, {style: "unit", unit, unitDisplay: "long"});
}

/** Bytes as people say them, such as "3.4 MB". @param {number} bytes */
export function size(bytes, text) {
  const [value, unit] = bytes < 1e6 ? [bytes / 1e3, "kilobyte"] : bytes < 1e9 ? [bytes / 1e6, "megabyte"] : [bytes / 1e9, "gigabyte"];
  return new Intl.NumberFormat(text.language, {style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 100 ? 1 : 0}).format(value).replace(" ", "\u00a0");
}

/** A time as the reader's language writes it. @param {string} time of ISO 8601 */
export function clock(time, text) {
  return time ? new Intl.DateTimeFormat(text.language, {dateStyle: "medium", timeStyle: "short"}).format(new Date(time)) : "";
}

/** A share as a percentage. @param {number} share 0 to 1 */
export function percent(share, text) {
  return new Intl.NumberFormat(text.language, {style: "percent", maximumFractionDigits: 0}).format(share);
}

/** Where a job that has not ended is in the queue, or what is done with it. */
export function placeWords(job, text) {
  if (job.state === "running" && job.stage) {
    const key = `stage.${job.stage}`;
    return text.has(key) ? text(key) : text("stage.other", {stage: job.stage});
  }
  const ahead = job.queue?.ahead;
  if (ahead === undefined || ahead === null) return text("queue.waiting");
  return ahead === 0 ? text("queue.next") : text(ahead === 1 ? "queue.one" : "queue.ahead", {count: ahead});
}

/** The time to go, and the range that it will be in; or why nobody knows it. */
export function timeWords(job, text) {
  const eta = job.eta;
  if (!eta) return "";
  if (eta.reason) return text.has(`eta.${eta.reason}`) ? text(`eta.${eta.reason}`) : text("eta.not_known_yet");
  const [about, range] = [text("eta.about", {time: duration(eta.seconds, text)}), durationRange(eta.low, eta.high, text)];
  return range ? `${about} (${range})` : about;
}
